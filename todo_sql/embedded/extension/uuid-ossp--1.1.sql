-- What PostgreSQL itself can do of uuid-ossp; the rest has its signature and an error.

create function uuid_nil() returns uuid language sql immutable strict parallel safe
return '00000000-0000-0000-0000-000000000000'::uuid;

create function uuid_ns_dns() returns uuid language sql immutable strict parallel safe
return '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid;

create function uuid_ns_url() returns uuid language sql immutable strict parallel safe
return '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid;

create function uuid_ns_oid() returns uuid language sql immutable strict parallel safe
return '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid;

create function uuid_ns_x500() returns uuid language sql immutable strict parallel safe
return '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid;

create function uuid_generate_v4() returns uuid language sql volatile strict parallel safe
return gen_random_uuid();

-- 100 ns since 15 October 1582, then a sequence and a node that are random; a node that is no
-- machine's address has the lowest bit of its first byte set.
create function uuid_generate_v1mc() returns uuid language sql volatile strict parallel safe
begin atomic
    with
    clock as (
        select
            lpad(
                to_hex(
                    (extract(epoch from clock_timestamp()) * 10000000)::bigint
                    + 122192928000000000
                ),
                15,
                '0'
            ) as ticks,
            uuid_send(gen_random_uuid()) as random
    )

    select
        (
            right(ticks, 8) || substr(ticks, 4, 4) || '1' || left(ticks, 3)
            || encode(set_byte(substr(random, 9), 2, get_byte(random, 10) | 1), 'hex')
        )::uuid
    from clock;
end;

-- The machine's address is not to be had.
create function uuid_generate_v1() returns uuid language sql volatile strict parallel safe
return uuid_generate_v1mc();

create function uuid_generate_v3(namespace uuid, name text) returns uuid
language sql immutable strict parallel safe
begin atomic
    select
        encode(
            set_byte(
                set_byte(bytes, 6, (get_byte(bytes, 6) & 15) | 48), 8, (get_byte(bytes, 8) & 63) | 128
            ),
            'hex'
        )::uuid
    from (
        select decode(
            md5(uuid_send($1) || convert_to($2, getdatabaseencoding())), 'hex'
        ) as bytes
    ) as hashed;
end;

create function uuid_generate_v5(namespace uuid, name text) returns uuid
language plpgsql immutable strict parallel safe as $$
begin
    raise exception using
        errcode = 'feature_not_supported',
        message = 'uuid_generate_v5() is not in the stand-in for extension "uuid-ossp"',
        detail = 'PostgreSQL itself has no SHA-1, and the embedded server has no uuid-ossp.',
        hint = 'Use uuid_generate_v3, or a PostgreSQL that has uuid-ossp.';
end
$$;
