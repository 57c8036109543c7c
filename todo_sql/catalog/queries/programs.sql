-- Schemas, extensions, functions, types and the rarer objects. Shaped as relations.sql.

-- name: schema :many
select
    n.oid::bigint as oid,
    quote_ident(n.nspname) as object,
    pg_get_userbyid(n.nspowner) as owner
from pg_namespace as n
where
    n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_namespace'::regclass and e.objid = n.oid and e.deptype = 'e'
    );

-- name: extension :many
select
    e.oid::bigint as oid,
    quote_ident(e.extname) as object,
    e.extversion as version,
    e.extnamespace::regnamespace::text as schema
from pg_extension as e;

-- name: function :many
-- An aggregate is named by its arguments as statements write them: `(*)`, `(… order by …)`.
select
    p.oid::bigint as oid,
    case
        when p.prokind <> 'a' then (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity
        else format(
                '%I.%I(%s)', n.nspname, p.proname, coalesce(nullif(pg_get_function_identity_arguments(p.oid), ''), '*')
            )
    end as object,
    p.proname::text as name,
    case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end as form,
    pg_get_userbyid(p.proowner) as owner,
    case
        when p.prokind <> 'a' then pg_get_functiondef(p.oid)
        else concat_ws(
                ', ',
                'sfunc = ' || a.aggtransfn,
                'stype = ' || format_type(a.aggtranstype, null),
                'sspace = ' || nullif(a.aggtransspace, 0),
                'finalfunc = ' || nullif(a.aggfinalfn, 0)::regproc,
                case when a.aggfinalextra then 'finalfunc_extra' end,
                case
                    when a.aggfinalmodify <> case a.aggkind when 'n' then 'r' else 'w' end::"char"
                        then 'finalfunc_modify = ' || case a.aggfinalmodify
                                when 'r' then 'read_only' when 's' then 'shareable' else 'read_write'
                            end
                end,
                'combinefunc = ' || nullif(a.aggcombinefn, 0)::regproc,
                'serialfunc = ' || nullif(a.aggserialfn, 0)::regproc,
                'deserialfunc = ' || nullif(a.aggdeserialfn, 0)::regproc,
                'initcond = ' || quote_literal(a.agginitval),
                'msfunc = ' || nullif(a.aggmtransfn, 0)::regproc,
                'minvfunc = ' || nullif(a.aggminvtransfn, 0)::regproc,
                'mstype = ' || format_type(nullif(a.aggmtranstype, 0), null),
                'msspace = ' || nullif(a.aggmtransspace, 0),
                'mfinalfunc = ' || nullif(a.aggmfinalfn, 0)::regproc,
                case when a.aggmfinalextra then 'mfinalfunc_extra' end,
                'minitcond = ' || quote_literal(a.aggminitval),
                'sortop = ' || (
                    select format('operator(%I.%s)', sn.nspname, so.oprname)
                    from pg_operator as so inner join pg_namespace as sn on so.oprnamespace = sn.oid
                    where so.oid = a.aggsortop
                ),
                case p.proparallel when 's' then 'parallel = safe' when 'r' then 'parallel = restricted' end,
                case when a.aggkind = 'h' then 'hypothetical' end
            )
    end as definition,
    pg_get_function_result(p.oid) as returns,
    l.lanname::text as language,
    case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility,
    p.prosecdef as security_definer,
    array_to_string(p.proconfig, ', ') as settings
from pg_proc as p
inner join pg_namespace as n on p.pronamespace = n.oid
inner join pg_language as l on p.prolang = l.oid
left join pg_aggregate as a on p.oid = a.aggfnoid
where
    n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype in ('e', 'i')
    );

-- name: type :many
-- Enums, composite, range and base types; a domain is a kind of its own.
select
    t.oid::bigint as oid,
    format('%I.%I', n.nspname, t.typname) as object,
    pg_get_userbyid(t.typowner) as owner,
    case
        when not t.typisdefined then 'shell'
        else case t.typtype when 'e' then 'enum' when 'c' then 'composite' when 'r' then 'range' else 'base' end
    end as form,
    case t.typtype
        when 'e'
            then (
                select string_agg(quote_literal(l.enumlabel), ', ' order by l.enumsortorder)
                from pg_enum as l where l.enumtypid = t.oid
            )
        when 'c'
            then (
                select
                    string_agg(
                        format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
                        || case
                            when a.attcollation <> ty.typcollation then ' collate ' || a.attcollation::regcollation
                            else ''
                        end,
                        ', ' order by a.attnum
                    )
                from pg_attribute as a
                inner join pg_type as ty on a.atttypid = ty.oid
                where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
            )
        when 'r'
            then (
                select
                    concat_ws(
                        ', ',
                        format('subtype = %s', format_type(r.rngsubtype, null)),
                        case when not op.opcdefault then format('subtype_opclass = %I.%I', opn.nspname, op.opcname) end,
                        case
                            when r.rngcollation <> st.typcollation then 'collation = ' || r.rngcollation::regcollation
                        end,
                        'canonical = ' || nullif(r.rngcanonical, 0)::regproc,
                        'subtype_diff = ' || nullif(r.rngsubdiff, 0)::regproc,
                        format('multirange_type_name = %s', r.rngmultitypid::regtype)
                    )
                from pg_range as r
                inner join pg_type as st on r.rngsubtype = st.oid
                inner join pg_opclass as op on r.rngsubopc = op.oid
                inner join pg_namespace as opn on op.opcnamespace = opn.oid
                where r.rngtypid = t.oid
            )
        else concat_ws(
                ', ',
                'input = ' || t.typinput,
                'output = ' || t.typoutput,
                'receive = ' || nullif(t.typreceive, 0)::regproc,
                'send = ' || nullif(t.typsend, 0)::regproc,
                'typmod_in = ' || nullif(t.typmodin, 0)::regproc,
                'typmod_out = ' || nullif(t.typmodout, 0)::regproc,
                'analyze = ' || nullif(t.typanalyze, 0)::regproc,
                'subscript = ' || nullif(t.typsubscript, 0)::regproc,
                'internallength = ' || case when t.typlen < 0 then 'variable' else t.typlen::text end,
                case when t.typbyval then 'passedbyvalue' end,
                'alignment = '
                || case t.typalign when 'c' then 'char' when 's' then 'int2' when 'd' then 'double' else 'int4' end,
                'storage = ' || case t.typstorage
                    when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended'
                end,
                case when t.typcategory <> 'U' then format('category = %L', t.typcategory) end,
                case when t.typispreferred then 'preferred = true' end,
                'default = ' || quote_literal(t.typdefault),
                'element = ' || nullif(t.typelem, 0)::regtype,
                case when t.typdelim <> ',' then format('delimiter = %L', t.typdelim) end,
                case when t.typcollation <> 0 then 'collatable = true' end
            )
    end as definition
from pg_type as t
inner join pg_namespace as n on t.typnamespace = n.oid
left join pg_class as c on t.typrelid = c.oid
where
    (
        t.typtype in ('e', 'r') or (t.typtype = 'c' and c.relkind = 'c') or not t.typisdefined
        or (
            t.typtype = 'b'
            and not exists (select from pg_type as element where element.typarray = t.oid)
        )
    )
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_type'::regclass and e.objid = t.oid and e.deptype = 'e'
    );

-- name: domain :many
select
    t.oid::bigint as oid,
    format('%I.%I', n.nspname, t.typname) as object,
    pg_get_userbyid(t.typowner) as owner,
    format_type(t.typbasetype, t.typtypmod) as type,
    case when t.typcollation <> b.typcollation then format('%I.%I', cn.nspname, co.collname) end as collation,
    t.typnotnull as not_null,
    coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)) as "default"
from pg_type as t
inner join pg_namespace as n on t.typnamespace = n.oid
inner join pg_type as b on t.typbasetype = b.oid
left join pg_collation as co on t.typcollation = co.oid
left join pg_namespace as cn on co.collnamespace = cn.oid
where
    t.typtype = 'd'
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_type'::regclass and e.objid = t.oid and e.deptype = 'e'
    );

-- name: event_trigger :many
select
    e.oid::bigint as oid,
    quote_ident(e.evtname) as object,
    pg_get_userbyid(e.evtowner) as owner,
    e.evtevent::text as event,
    array_to_string(e.evttags, ', ') as tags,
    e.evtfoid::regprocedure::text as function,
    case e.evtenabled
        when 'O' then 'enabled' when 'D' then 'disabled' when 'R' then 'replica' else 'always'
    end as enabled
from pg_event_trigger as e
where
    not exists (
        select from pg_depend as x
        where x.classid = 'pg_event_trigger'::regclass and x.objid = e.oid and x.deptype = 'e'
    );

-- name: publication :many
select
    p.oid::bigint as oid,
    quote_ident(p.pubname) as object,
    pg_get_userbyid(p.pubowner) as owner,
    p.puballtables as all_tables,
    concat_ws(
        ', ',
        case when p.pubinsert then 'insert' end,
        case when p.pubupdate then 'update' end,
        case when p.pubdelete then 'delete' end,
        case when p.pubtruncate then 'truncate' end
    ) as publish,
    p.pubviaroot as via_root,
    case to_jsonb(p) ->> 'pubgencols' when 's' then 'stored' end as generated_columns,
    (
        select
            string_agg(
                'table only ' || r.prrelid::regclass
                || coalesce(
                    (
                        select ' (' || string_agg(quote_ident(a.attname), ', ' order by a.attnum) || ')'
                        from pg_attribute as a
                        where a.attrelid = r.prrelid and a.attnum = any(r.prattrs)
                    ), ''
                )
                || coalesce(' where (' || pg_get_expr(r.prqual, r.prrelid) || ')', ''),
                ', ' order by r.prrelid::regclass::text
            )
        from pg_publication_rel as r where r.prpubid = p.oid
    ) as tables,
    (
        select string_agg('tables in schema ' || s.pnnspid::regnamespace, ', ' order by s.pnnspid::regnamespace::text)
        from pg_publication_namespace as s where s.pnpubid = p.oid
    ) as schemas
from pg_publication as p;

-- name: has_other :one
-- Whether `other` can find anything.
select exists(
    select from pg_collation as c where c.oid >= 16384
    union all
    select from pg_conversion as c where c.oid >= 16384
    union all
    select from pg_operator as c where c.oid >= 16384
    union all
    select from pg_opfamily as c where c.oid >= 16384
    union all
    select from pg_opclass as c where c.oid >= 16384
    union all
    select from pg_cast as c where c.oid >= 16384
    union all
    select from pg_ts_parser as c where c.oid >= 16384
    union all
    select from pg_ts_template as c where c.oid >= 16384
    union all
    select from pg_ts_dict as c where c.oid >= 16384
    union all
    select from pg_ts_config as c where c.oid >= 16384
    union all
    select from pg_language as c where c.oid >= 16384
    union all
    select from pg_transform as c where c.oid >= 16384
    union all
    select from pg_foreign_data_wrapper as c where c.oid >= 16384
    union all
    select from pg_foreign_server as c where c.oid >= 16384
    union all
    select from pg_am as c where c.oid >= 16384
    union all
    select from pg_user_mappings as m where m.umid >= 16384
) as found;

-- name: other :many
-- The rarer kinds, each with the statement that makes it. Options are told apart, since
-- those that look like a secret are not shown.
with options as (
    select
        o.class, o.oid,
        jsonb_object_agg(
            x.option_name,
            case when x.option_name ~* 'pass|secret|token|credential|private' then null else x.option_value end
        ) as options
    from (
        select 'pg_foreign_data_wrapper'::regclass as class, f.oid, f.fdwoptions as given
        from pg_foreign_data_wrapper as f
        union all
        select 'pg_foreign_server'::regclass, s.oid, s.srvoptions from pg_foreign_server as s
        union all
        select 'pg_user_mapping'::regclass, m.umid, m.umoptions from pg_user_mappings as m
    ) as o
    cross join lateral pg_options_to_table(o.given) as x
    group by o.class, o.oid
),

-- What belongs to an operator class, or loosely to a family.
members as (
    select
        m.class,
        m.oid,
        string_agg(m.member, ', ' order by m.member) as members
    from (
        select
            d.refclassid as class,
            d.refobjid as oid,
            format('operator %s %s', o.amopstrategy, o.amopopr::regoperator)
            || coalesce(' for order by ' || quote_ident(n.nspname) || '.' || quote_ident(f.opfname), '') as member
        from pg_amop as o
        inner join pg_depend as d on d.classid = 'pg_amop'::regclass and o.oid = d.objid
        left join pg_opfamily as f on o.amopsortfamily = f.oid
        left join pg_namespace as n on f.opfnamespace = n.oid
        union all
        select
            d.refclassid,
            d.refobjid,
            format(
                'function %s (%s, %s) %s', p.amprocnum, format_type(p.amproclefttype, null),
                format_type(p.amprocrighttype, null), p.amproc::regprocedure
            )
        from pg_amproc as p
        inner join pg_depend as d on d.classid = 'pg_amproc'::regclass and p.oid = d.objid
    ) as m
    where m.class in ('pg_opfamily'::regclass, 'pg_opclass'::regclass)
    group by m.class, m.oid
),

rare as (
    select
        'pg_collation'::regclass as class, c.oid, c.collowner as owner, null::text as name, null::text as version,
        null::jsonb as mappings,
        format(
            'create collation %I.%I (provider = %s%s%s%s)', n.nspname, c.collname,
            case c.collprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end,
            coalesce(
                ', locale = ' || quote_literal(coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale')),
                case
                    when c.collcollate = c.collctype then format(', locale = %L', c.collcollate)
                    when c.collcollate is not null
                        then format(', lc_collate = %L, lc_ctype = %L', c.collcollate, c.collctype)
                end
            ),
            case when not c.collisdeterministic then ', deterministic = false' end,
            ', rules = ' || quote_literal(to_jsonb(c) ->> 'collicurules')
        ) as definition
    from pg_collation as c
    inner join pg_namespace as n on c.collnamespace = n.oid
    union all
    select
        'pg_conversion'::regclass, c.oid, c.conowner, null, null, null,
        format(
            'create %sconversion %I.%I for %L to %L from %s', case when c.condefault then 'default ' end,
            n.nspname, c.conname, pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding),
            c.conproc
        )
    from pg_conversion as c
    inner join pg_namespace as n on c.connamespace = n.oid
    union all
    select
        'pg_operator'::regclass, o.oid, o.oprowner, null, null, null,
        case
            when o.oprcode = 0 then null -- named by another operator, but never made
            else format('create operator %I.%s (%s)', n.nspname, o.oprname, concat_ws(
                    ', ',
                    'function = ' || o.oprcode,
                    'leftarg = ' || format_type(nullif(o.oprleft, 0), null),
                    'rightarg = ' || format_type(nullif(o.oprright, 0), null),
                    'commutator = ' || (
                        select format('operator(%I.%s)', cn.nspname, co.oprname)
                        from pg_operator as co inner join pg_namespace as cn on co.oprnamespace = cn.oid
                        where co.oid = o.oprcom
                    ),
                    'negator = ' || (
                        select format('operator(%I.%s)', nn.nspname, no.oprname)
                        from pg_operator as no inner join pg_namespace as nn on no.oprnamespace = nn.oid
                        where no.oid = o.oprnegate
                    ),
                    case when o.oprcanhash then 'hashes' end,
                    case when o.oprcanmerge then 'merges' end,
                    'restrict = ' || nullif(o.oprrest, 0)::regproc,
                    'join = ' || nullif(o.oprjoin, 0)::regproc
                ))
        end
    from pg_operator as o
    inner join pg_namespace as n on o.oprnamespace = n.oid
    union all
    select
        'pg_opfamily'::regclass, f.oid, f.opfowner, null, null, null,
        concat_ws(
            e';\n',
            format('create operator family %I.%I using %I', n.nspname, f.opfname, am.amname),
            format('alter operator family %I.%I using %I add ', n.nspname, f.opfname, am.amname) || loose.members
        )
    from pg_opfamily as f
    inner join pg_namespace as n on f.opfnamespace = n.oid
    inner join pg_am as am on f.opfmethod = am.oid
    left join members as loose on loose.class = 'pg_opfamily'::regclass and f.oid = loose.oid
    union all
    select
        'pg_opclass'::regclass, c.oid, c.opcowner, null, null, null,
        format(
            'create operator class %I.%I %sfor type %s using %I family %I.%I as %s', n.nspname, c.opcname,
            case when c.opcdefault then 'default ' end, format_type(c.opcintype, null), am.amname,
            fn.nspname, f.opfname,
            concat_ws(
                ', ',
                coalesce(
                    'storage ' || format_type(nullif(c.opckeytype, 0), null),
                    case when bound.members is null then 'storage ' || format_type(c.opcintype, null) end
                ),
                bound.members
            )
        )
    from pg_opclass as c
    inner join pg_namespace as n on c.opcnamespace = n.oid
    inner join pg_am as am on c.opcmethod = am.oid
    inner join pg_opfamily as f on c.opcfamily = f.oid
    inner join pg_namespace as fn on f.opfnamespace = fn.oid
    left join members as bound on bound.class = 'pg_opclass'::regclass and c.oid = bound.oid
    union all
    select
        'pg_cast'::regclass, c.oid, null, null, null, null,
        format(
            'create cast (%s as %s) %s%s', format_type(c.castsource, null), format_type(c.casttarget, null),
            case c.castmethod
                when 'f' then 'with function ' || c.castfunc::regprocedure
                when 'i' then 'with inout' else 'without function'
            end,
            case c.castcontext when 'a' then ' as assignment' when 'i' then ' as implicit' end
        )
    from pg_cast as c
    union all
    select
        'pg_ts_parser'::regclass, t.oid, null, null, null, null,
        format('create text search parser %I.%I (%s)', n.nspname, t.prsname, concat_ws(
            ', ', 'start = ' || t.prsstart, 'gettoken = ' || t.prstoken, 'end = ' || t.prsend,
            'headline = ' || nullif(t.prsheadline, 0)::regproc, 'lextypes = ' || t.prslextype
        ))
    from pg_ts_parser as t
    inner join pg_namespace as n on t.prsnamespace = n.oid
    union all
    select
        'pg_ts_template'::regclass, t.oid, null, null, null, null,
        format('create text search template %I.%I (%s)', n.nspname, t.tmplname, concat_ws(
            ', ', 'init = ' || nullif(t.tmplinit, 0)::regproc, 'lexize = ' || t.tmpllexize
        ))
    from pg_ts_template as t
    inner join pg_namespace as n on t.tmplnamespace = n.oid
    union all
    select
        'pg_ts_dict'::regclass, t.oid, t.dictowner, null, null, null,
        format('create text search dictionary %I.%I (%s)', n.nspname, t.dictname, concat_ws(
            ', ', format('template = %I.%I', tn.nspname, te.tmplname), t.dictinitoption
        ))
    from pg_ts_dict as t
    inner join pg_namespace as n on t.dictnamespace = n.oid
    inner join pg_ts_template as te on t.dicttemplate = te.oid
    inner join pg_namespace as tn on te.tmplnamespace = tn.oid
    union all
    select
        'pg_ts_config'::regclass, t.oid, t.cfgowner, null, null,
        (
            select jsonb_object_agg(by_token.alias, by_token.dictionaries)
            from (
                select k.alias, string_agg(m.mapdict::regdictionary::text, ', ' order by m.mapseqno) as dictionaries
                from pg_ts_config_map as m
                inner join lateral ts_token_type(t.cfgparser) as k on m.maptokentype = k.tokid
                where m.mapcfg = t.oid
                group by k.alias
            ) as by_token
        ),
        format('create text search configuration %I.%I (parser = %I.%I)', n.nspname, t.cfgname, pn.nspname, pa.prsname)
    from pg_ts_config as t
    inner join pg_namespace as n on t.cfgnamespace = n.oid
    inner join pg_ts_parser as pa on t.cfgparser = pa.oid
    inner join pg_namespace as pn on pa.prsnamespace = pn.oid
    union all
    select
        'pg_language'::regclass, l.oid, l.lanowner, null, null, null,
        concat_ws(
            ' ', format('create %slanguage %I', case when l.lanpltrusted then 'trusted ' end, l.lanname),
            'handler ' || nullif(l.lanplcallfoid, 0)::regproc, 'inline ' || nullif(l.laninline, 0)::regproc,
            'validator ' || nullif(l.lanvalidator, 0)::regproc
        )
    from pg_language as l
    union all
    select
        'pg_transform'::regclass, t.oid, null,
        format('transform for %s language %I', format_type(t.trftype, null), l.lanname), null, null,
        format(
            'create transform for %s language %I (%s)', format_type(t.trftype, null), l.lanname, concat_ws(
                ', ', 'from sql with function ' || nullif(t.trffromsql, 0)::regprocedure,
                'to sql with function ' || nullif(t.trftosql, 0)::regprocedure
            )
        )
    from pg_transform as t
    inner join pg_language as l on t.trflang = l.oid
    union all
    select
        'pg_foreign_data_wrapper'::regclass, f.oid, f.fdwowner, format('foreign data wrapper %I', f.fdwname),
        null, null,
        concat_ws(
            ' ', format('create foreign data wrapper %I', f.fdwname),
            'handler ' || nullif(f.fdwhandler, 0)::regproc, 'validator ' || nullif(f.fdwvalidator, 0)::regproc
        )
    from pg_foreign_data_wrapper as f
    union all
    select
        'pg_foreign_server'::regclass, s.oid, s.srvowner, format('server %I', s.srvname), s.srvversion, null,
        format(
            'create server %I%s foreign data wrapper %I', s.srvname, ' type ' || quote_literal(s.srvtype), w.fdwname
        )
    from pg_foreign_server as s
    inner join pg_foreign_data_wrapper as w on s.srvfdw = w.oid
    union all
    select
        'pg_user_mapping'::regclass, m.umid, null,
        format('server %I', m.srvname), null, null, 'create'
    from pg_user_mappings as m
    union all
    select
        'pg_am'::regclass, a.oid, null, format('access method %I', a.amname), null, null,
        format(
            'create access method %I type %s handler %s', a.amname,
            case a.amtype when 't' then 'table' else 'index' end, a.amhandler::regproc
        )
    from pg_am as a
)

select
    r.oid::bigint as oid,
    r.class::text as class,
    coalesce(r.name, i.type || ' ' || i.identity) as object,
    i.type as form,
    pg_get_userbyid(r.owner) as owner,
    case when m.umuser = 0 then 'public' else m.usename::text end as grantee,
    r.definition,
    r.version,
    r.mappings,
    o.options
from rare as r
left join pg_user_mappings as m on r.class = 'pg_user_mapping'::regclass and r.oid = m.umid
cross join lateral pg_identify_object(r.class, r.oid, 0) as i
left join options as o on r.class = o.class and r.oid = o.oid
where
    r.oid >= 16384 -- the first one that is not made by initdb
    and r.definition is not null
    and coalesce(i.schema, '') !~ '^pg_' and coalesce(i.schema, '') <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = r.class and e.objid = r.oid and e.deptype in ('e', 'i')
    );
