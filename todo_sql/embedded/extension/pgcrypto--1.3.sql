-- What PostgreSQL itself can do of pgcrypto; the rest has its signature and an error.

create function digest(bytea, text) returns bytea language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp as $$
begin
    case lower($2)
        when 'md5' then return decode(md5($1), 'hex');
        when 'sha224' then return sha224($1);
        when 'sha256' then return sha256($1);
        when 'sha384' then return sha384($1);
        when 'sha512' then return sha512($1);
        when 'sha1' then
            raise exception using
                errcode = 'feature_not_supported',
                message = 'sha1 is not in the stand-in for extension "pgcrypto"',
                detail = 'PostgreSQL itself knows md5 and sha224 to sha512.',
                hint = 'Use one of these, or a PostgreSQL that has pgcrypto.';
        else
            raise exception using
                errcode = 'invalid_parameter_value',
                message = format('Cannot use "%s": No such hash algorithm', $2);
    end case;
end
$$;

create function digest(text, text) returns bytea language sql immutable strict parallel safe
return digest(convert_to($1, getdatabaseencoding()), $2);

create function hmac(bytea, bytea, text) returns bytea language sql immutable strict parallel safe
begin atomic
    with
    size as (
        select case when lower($3) in ('sha384', 'sha512') then 128 else 64 end as bytes
    ),

    key as (
        select
            bytes,
            case when length($2) > bytes then digest($2, $3) else $2 end
            || decode(repeat('00', bytes), 'hex') as padded
        from size
    ),

    pads as (
        select
            string_agg(
                set_byte('\x00'::bytea, 0, int4xor(get_byte(padded, i), 54)), ''::bytea order by i
            ) as inner_pad,
            string_agg(
                set_byte('\x00'::bytea, 0, int4xor(get_byte(padded, i), 92)), ''::bytea order by i
            ) as outer_pad
        from key, generate_series(0, bytes - 1) as i
    )

    select digest(outer_pad || digest(inner_pad || $1, $3), $3)
    from pads;
end;

create function hmac(text, text, text) returns bytea language sql immutable strict parallel safe
return hmac(
    convert_to($1, getdatabaseencoding()), convert_to($2, getdatabaseencoding()), $3
);

create function gen_random_uuid() returns uuid language sql volatile parallel safe
return pg_catalog.gen_random_uuid();

-- 14 of the 16 bytes of a random UUID are random; version and variant are in the others.
create function gen_random_bytes(int4) returns bytea language plpgsql volatile strict parallel safe
set search_path = pg_catalog, pg_temp as $$
begin
    if $1 < 1 or $1 > 1024 then
        raise exception using
            errcode = 'external_routine_invocation_exception', message = 'Length not in range';
    end if;
    return substring(string_agg(
        substring(id from 1 for 6) || substring(id from 8 for 1) || substring(id from 10),
        ''
    ) from 1 for $1)
    from (select uuid_send(gen_random_uuid()) as id from generate_series(0, $1 / 14)) as ids;
end
$$;

do $do$
declare
    missing record;
begin
    for missing in
        select *
        from (values
            ('crypt', 'text, text', 'text', 'immutable'),
            ('gen_salt', 'text', 'text', 'volatile'),
            ('gen_salt', 'text, int4', 'text', 'volatile'),
            ('encrypt', 'bytea, bytea, text', 'bytea', 'immutable'),
            ('decrypt', 'bytea, bytea, text', 'bytea', 'immutable'),
            ('encrypt_iv', 'bytea, bytea, bytea, text', 'bytea', 'immutable'),
            ('decrypt_iv', 'bytea, bytea, bytea, text', 'bytea', 'immutable'),
            ('pgp_sym_encrypt', 'text, text', 'bytea', 'volatile'),
            ('pgp_sym_encrypt', 'text, text, text', 'bytea', 'volatile'),
            ('pgp_sym_encrypt_bytea', 'bytea, text', 'bytea', 'volatile'),
            ('pgp_sym_encrypt_bytea', 'bytea, text, text', 'bytea', 'volatile'),
            ('pgp_sym_decrypt', 'bytea, text', 'text', 'immutable'),
            ('pgp_sym_decrypt', 'bytea, text, text', 'text', 'immutable'),
            ('pgp_sym_decrypt_bytea', 'bytea, text', 'bytea', 'immutable'),
            ('pgp_sym_decrypt_bytea', 'bytea, text, text', 'bytea', 'immutable'),
            ('pgp_pub_encrypt', 'text, bytea', 'bytea', 'volatile'),
            ('pgp_pub_encrypt', 'text, bytea, text', 'bytea', 'volatile'),
            ('pgp_pub_encrypt_bytea', 'bytea, bytea', 'bytea', 'volatile'),
            ('pgp_pub_encrypt_bytea', 'bytea, bytea, text', 'bytea', 'volatile'),
            ('pgp_pub_decrypt', 'bytea, bytea', 'text', 'immutable'),
            ('pgp_pub_decrypt', 'bytea, bytea, text', 'text', 'immutable'),
            ('pgp_pub_decrypt', 'bytea, bytea, text, text', 'text', 'immutable'),
            ('pgp_pub_decrypt_bytea', 'bytea, bytea', 'bytea', 'immutable'),
            ('pgp_pub_decrypt_bytea', 'bytea, bytea, text', 'bytea', 'immutable'),
            ('pgp_pub_decrypt_bytea', 'bytea, bytea, text, text', 'bytea', 'immutable'),
            ('pgp_key_id', 'bytea', 'text', 'immutable'),
            ('armor', 'bytea', 'text', 'immutable'),
            ('armor', 'bytea, text[], text[]', 'text', 'immutable'),
            ('dearmor', 'text', 'bytea', 'immutable'),
            ('pgp_armor_headers', 'text, out key text, out value text', 'setof record', 'immutable')
        ) as functions (name, parameters, result, volatility)
    loop
        execute format(
            'create function %I(%s) returns %s %s strict parallel safe language plpgsql as %L',
            missing.name, missing.parameters, missing.result, missing.volatility,
            format(
                'begin raise exception using errcode = %L, message = %L, detail = %L, hint = %L; end',
                'feature_not_supported',
                format('%s() is not in the stand-in for extension "pgcrypto"', missing.name),
                'PostgreSQL itself cannot do it, and the embedded server has no pgcrypto.',
                'Use a PostgreSQL that has pgcrypto.'
            )
        );
    end loop;
end
$do$;
