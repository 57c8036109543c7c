-- Whether OpenSSL's FIPS mode is on: nothing here uses OpenSSL.
create function fips_mode() returns bool language sql volatile strict parallel safe
return false;
