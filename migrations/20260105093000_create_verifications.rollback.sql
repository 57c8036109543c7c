-- Makes every pending mail link worthless.
drop table verifications;
