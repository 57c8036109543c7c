"""The functions and operators of PostgreSQL that never return NULL. Pure.

Listed by hand from PostgreSQL's documentation and sources; tests/compiler/test_functions.py
calls every one of them with edge values on a real server. What isn't listed may return
NULL: `to_char` of infinity, `substring` by a pattern, `date_part('day', 'infinity')`,
`'null'::jsonb::int`, `array_length` of an empty array, `current_schema()`.
"""

from __future__ import annotations

from todo_sql.compiler.schema import Function


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PLAIN = _words("""
    bool int2 int4 int8 numeric float4 float8 money text varchar bpchar char name bytea date
    time timetz timestamp timestamptz interval uuid oid bit varbit inet cidr macaddr
    regclass regtype regconfig tsvector tsquery xid xid8 pg_lsn
""")
"""Scalar types whose every value is an ordinary one: no SQL NULL hides in them, as in jsonb."""

_RANGES = frozenset(("anyrange", "anymultirange"))
_COMPARISONS = frozenset(("=", "<>", "<", "<=", ">", ">="))
_PLAIN_OPERATORS = _words("""
    + - * / % ^ || |/ ||/ @ & | # ~ << >> <<= >>= ~~ !~~ ~~* !~~* ~* !~ !~* @@ && ^@
""")
_CONTAINMENT = _words("&& @> <@ << >> &< &> -|-")
_JSONB = _words("@> <@ ? ?| ?& || - #-")
_ARRAYS = frozenset(("&&", "@>", "<@", "||"))
_ARRAY_TYPES = frozenset(("anyarray", "anycompatiblearray", "anycompatible", "anyelement"))

_CASTS = _words("""
    bool int2 int4 int8 float4 float8 numeric text varchar bpchar char name date timestamp
    timestamptz interval bytea bit varbit oid inet cidr
""")
_TEXT = _words("""
    lower upper initcap length char_length character_length octet_length bit_length btrim
    ltrim rtrim substr left right lpad rpad repeat replace reverse split_part strpos
    position overlay translate md5 sha224 sha256 sha384 sha512 encode decode convert_to
    convert_from chr ascii to_hex to_bin to_oct quote_ident quote_literal starts_with
    regexp_replace regexp_count regexp_like regexp_instr unistr normalize casefold get_byte
    get_bit set_byte set_bit crc32 crc32c
""")
_NUMBERS = _words("""
    abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log10 power pow mod div gcd
    lcm degrees radians sin cos tan asin acos atan atan2 width_bucket factorial trim_scale
""")
_TIME = _words("""
    date_trunc date_bin make_date make_time make_timestamp make_timestamptz make_interval
    justify_days justify_hours justify_interval age to_timestamp to_date timezone isfinite
    date_add date_subtract overlaps
""")
_SEARCH = _words("""
    to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank
    ts_rank_cd setweight strip
""")
_NETWORK = _words("host masklen family network abbrev broadcast netmask hostmask set_masklen")
_HASHES = _words("hashtext hashtextextended")
_LOCKS = _words("""
    pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock
    pg_try_advisory_xact_lock_shared pg_advisory_unlock pg_advisory_unlock_shared
""")
_PLAIN_FUNCTIONS = _LOCKS | _CASTS | _TEXT | _NUMBERS | _TIME | _SEARCH | _NETWORK | _HASHES
_NO_ARGUMENTS = _words("""
    now transaction_timestamp statement_timestamp clock_timestamp timeofday random pi
    gen_random_uuid uuidv4 uuidv7 version current_database pg_backend_pid txid_current
    pg_current_xact_id lastval current_user session_user
""")
_SIGNATURES = {
    name: frozenset(tuple(one.split()) for one in arguments.split(","))
    for name, arguments in {
        "time": "time int4, timetz, interval",
        "timetz": "timetz int4, time",
        "date_part": "text time, text timetz",
        "extract": "text time, text timetz",
        "substring": "text int4, text int4 int4, bytea int4, bytea int4 int4",
        "to_char": "int4 text, int8 text, numeric text, float4 text, float8 text",
        "nextval": "regclass",
        "currval": "regclass",
        "regclass": "text",
        "random": "int4 int4, int8 int8, numeric numeric",
        "uuidv7": "interval",
        "cardinality": "anyarray",
        "array_to_string": "anyarray text, anyarray text text",
        "string_to_array": "text text, text text text",
        "array_append": "anycompatiblearray anycompatible",
        "array_prepend": "anycompatible anycompatiblearray",
        "array_cat": "anycompatiblearray anycompatiblearray",
        "array_remove": "anycompatiblearray anycompatible",
        "array_replace": "anycompatiblearray anycompatible anycompatible",
        "array_positions": "anycompatiblearray anycompatible",
        "regexp_split_to_array": "text text, text text text",
        "to_json": "anyelement",
        "to_jsonb": "anyelement",
        "row_to_json": "record, record bool",
        "array_to_json": "anyarray, anyarray bool",
        "jsonb_typeof": "jsonb",
        "json_typeof": "json",
        "jsonb_array_length": "jsonb",
        "json_array_length": "json",
        "jsonb_strip_nulls": "jsonb, jsonb bool",
        "json_strip_nulls": "json, json bool",
        "jsonb_pretty": "jsonb",
        "jsonb_set": "jsonb _text jsonb bool",
        "jsonb_insert": "jsonb _text jsonb bool",
        "jsonb_object": "_text",
        "json_object": "_text",
        "isempty": "anyrange, anymultirange",
        "lower_inc": "anyrange",
        "upper_inc": "anyrange",
        "lower_inf": "anyrange",
        "upper_inf": "anyrange",
        "pg_typeof": "any",
    }.items()
}
_ALWAYS = _words("""
    array_append array_prepend concat json_build_object json_build_array jsonb_build_object
    jsonb_build_array num_nulls num_nonnulls quote_nullable
""")
"""Never NULL whatever the arguments, except with VARIADIC NULL."""
_FIRST = frozenset(("concat_ws", "format"))
_RANGE_CONSTRUCTORS = _words("int4range int8range numrange tsrange tstzrange daterange")
MONOTONIC_FIELDS = _words("epoch year isoyear decade century millennium julian")

ONE_VALUE_AGGREGATES = _words("""
    sum avg min max bool_and bool_or every bit_and bit_or any_value string_agg
""")
"""Aggregates that are NULL only if no row of the group has a value."""
ONE_ROW_AGGREGATES = _words("array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg")
"""Aggregates that are NULL only if the group has no row."""
ALWAYS_AGGREGATES = frozenset(("count", "regr_count"))
RANKING = _words("row_number rank dense_rank percent_rank cume_dist")

SETS_NEVER_NULL = _words("""
    generate_series generate_subscripts jsonb_array_elements json_array_elements
    jsonb_object_keys json_object_keys regexp_split_to_table regexp_matches jsonb_path_query
""")
SET_COLUMNS_NEVER_NULL = {
    "jsonb_each": (True, True),
    "json_each": (True, True),
    "jsonb_each_text": (True, False),
    "json_each_text": (True, False),
}


def never_null_function(function: Function) -> bool:
    """Whether a function returns a value whenever each of its arguments is one."""
    if not function.builtin or function.returns_set:
        return False
    name, arguments = function.name, function.arguments
    if not arguments:
        return name in _NO_ARGUMENTS
    if arguments in _SIGNATURES.get(name, ()) or name in _FIRST:
        return True
    return (
        name in _PLAIN_FUNCTIONS
        and PLAIN.issuperset(arguments)
        and not (name in ("bit", "varbit") and "text" in arguments)
    )


def always_a_value(function: Function) -> bool:
    """Whether a function returns a value even for NULL arguments."""
    return function.builtin and (function.name in _ALWAYS or function.name in _RANGE_CONSTRUCTORS)


def needs_first_only(function: Function) -> bool:
    """Whether only the first argument must be a value."""
    return function.builtin and function.name in _FIRST


def never_null_operator(name: str | None, function: Function) -> bool:
    """Whether an operator of PostgreSQL returns a value whenever its operands are values."""
    if name is None or not function.builtin or function.returns_set:
        return False
    arguments = function.arguments
    if name in _COMPARISONS:
        return True
    if PLAIN.issuperset(arguments):
        return name in _PLAIN_OPERATORS
    if any(argument in _RANGES for argument in arguments):
        return name in _CONTAINMENT or name in ("+", "*", "-")
    if arguments[0] == "jsonb":
        return name in _JSONB
    if _ARRAY_TYPES.issuperset(arguments):
        return name in _ARRAYS
    return name == "||" and function.name in ("textanycat", "anytextcat")
