"""Where the configuration comes from, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from todo_sql.config import NoProject, Tenant, load_config, packaged_config
from todo_sql.errors import ConfigError

NOTHING: dict[str, str] = {}


def project(folder: Path, section: str = "", **files: str) -> Path:
    """Write a project with a section, and files beside it."""
    (folder / "pyproject.toml").write_text(f"[tool.todo-sql]\n{section}\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_defaults(tmp_path: Path) -> None:
    """An empty section is enough."""
    config = load_config(project(tmp_path), environment=NOTHING)
    assert config.root == tmp_path
    assert config.migrations == tmp_path / "migrations"
    assert config.queries == tmp_path / "queries"
    assert config.specs == tmp_path / "specs" / "database"
    assert config.seeds == tmp_path / "seeds"
    assert config.state == tmp_path / ".todo-sql"
    assert config.generate is None
    assert config.tenant is None
    assert config.postgres == 18
    assert not config.packaged
    assert config.database_url is None
    assert config.direct_url is None


def test_an_empty_section_has_the_defaults_of_one_that_is_checked(tmp_path: Path) -> None:
    """It is not checked, so what stands in its place must be the same."""
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.todo-sql]\n")
    empty = load_config(tmp_path, environment={})
    file.write_text('[tool.todo-sql]\nqueries = "queries"\n')
    assert load_config(tmp_path, environment={}) == empty


def test_everything_can_be_said(tmp_path: Path) -> None:
    """Every key of the section arrives."""
    config = load_config(
        project(
            tmp_path,
            """
            migrations = "db/migrations"
            queries = "db/queries"
            generate = "app/db"
            specs = "docs"
            seeds = "db/seeds"
            postgres = 16
            exempt = ["users"]
            tenant = { parameter = "org", setting = "app.org", role = "app" }
            types = { "tasks.priority" = "app.types.Priority" }
            """,
        ),
        environment=NOTHING,
    )
    assert config.migrations == tmp_path / "db" / "migrations"
    assert config.generate == tmp_path / "app" / "db"
    assert config.postgres == 16
    assert config.exempt == ("users",)
    assert config.tenant == Tenant("org", "app.org", "app")
    assert config.types == {"tasks.priority": "app.types.Priority"}


def test_the_nearest_project_is_found(tmp_path: Path) -> None:
    """The search goes upwards, past a pyproject.toml without our section."""
    project(tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert load_config(start=below, environment=NOTHING).root == tmp_path


def test_without_a_project_nothing_is_guessed(tmp_path: Path) -> None:
    """Outside any project one has to be named."""
    with pytest.raises(NoProject, match="there is no project in") as caught:
        load_config(start=tmp_path, environment=NOTHING)
    assert "todo-sql init DIR" in str(caught.value.finding.fix)


def test_the_project_of_the_wheel(tmp_path: Path) -> None:
    """It goes by a name, and its state is the user's."""
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    config = load_config(Path("todo"), environment=environment)
    assert config.packaged
    assert config.state == tmp_path / "todo-sql" / "todo"
    assert list(config.migrations.glob("*_create_tasks.sql"))
    assert (config.queries / "tasks.sql").is_file()
    assert config.tenant == Tenant()
    assert packaged_config(environment) == config


def test_a_file_of_its_own(tmp_path: Path) -> None:
    """For projects that are not Python: the same keys, without the section's name."""
    (tmp_path / "todo-sql.toml").write_text(
        'migrations = "db"\n[lint]\ndisable = ["R501"]\n[types]\n"t.c" = "m.T"\n'
    )
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    config = load_config(start=below, environment=NOTHING)
    assert (config.root, config.migrations) == (tmp_path, tmp_path / "db")
    assert (config.lint.disable, config.types) == (("R501",), {"t.c": "m.T"})
    assert config.file == tmp_path / "todo-sql.toml"
    assert load_config(tmp_path, environment=NOTHING) == config
    (tmp_path / "todo-sql.toml").write_text("migration = 1\n")
    with pytest.raises(ConfigError, match=r"unknown key `migration` under .*todo-sql\.toml"):
        load_config(tmp_path, environment=NOTHING)


def test_two_configurations_are_refused(tmp_path: Path) -> None:
    """Neither wins in silence."""
    project(tmp_path, **{"todo-sql.toml": ""})
    with pytest.raises(ConfigError, match=r"both .* configure this project"):
        load_config(tmp_path, environment=NOTHING)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("migrations/20260101090000_a.sql", True),
        ("migrations/2026/20260101090000_a.sql", True),
        ("migrations/20260101090000_a.rollback.sql", True),
        ("migrations/0001_a.sql", False),
        ("migrations/20260101090000_a.txt", False),
        ("migrations/repeatable/view.sql", False),
        ("20260101090000_a.sql", False),
        ("db/20260101090000_a.sql", False),
    ],
)
def test_a_folder_of_migrations_makes_a_project(tmp_path: Path, name: str, *, found: bool) -> None:
    """Where its files are named as ours are; from below and from among them, too."""
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("select 1;")
    if not found:
        for start in (tmp_path, file.parent):
            with pytest.raises(NoProject):
                load_config(start=start, environment=NOTHING)
        with pytest.raises(NoProject):
            load_config(tmp_path, environment=NOTHING)
        return
    for config in (
        load_config(start=tmp_path, environment=NOTHING),
        load_config(start=file.parent, environment=NOTHING),
        load_config(tmp_path, environment=NOTHING),
    ):
        assert config.root == tmp_path
        assert config.migrations == tmp_path / "migrations"
        assert not config.packaged


def test_the_nearest_of_all_kinds_is_the_project(tmp_path: Path) -> None:
    """However a folder says that it is one."""
    project(tmp_path)
    middle, inner = tmp_path / "middle", tmp_path / "middle" / "inner"
    (inner / "migrations").mkdir(parents=True)
    (middle / "todo-sql.toml").write_text("")
    assert load_config(start=inner, environment=NOTHING).root == middle
    (inner / "migrations" / "20260101090000_a.sql").write_text("select 1;")
    assert load_config(start=inner, environment=NOTHING).root == inner
    assert load_config(start=middle, environment=NOTHING).root == middle
    assert load_config(start=tmp_path, environment=NOTHING).root == tmp_path


def test_the_environment_wins_over_dotenv(tmp_path: Path) -> None:
    """A .env beside pyproject.toml is read; what the environment says wins."""
    project(
        tmp_path,
        **{".env": "DATABASE_URL='postgresql://h/from_file'\nexport TODO_SQL_REPLICA_URL=r\n"},
    )
    config = load_config(tmp_path, environment=NOTHING)
    assert config.database_url == "postgresql://h/from_file"
    assert config.replica_url == "r"
    config = load_config(tmp_path, environment={"DATABASE_URL": "postgresql://h/given"})
    assert config.database_url == "postgresql://h/given"


def test_the_urls(tmp_path: Path) -> None:
    """Migrations have a URL of their own, or DATABASE_URL's; an empty one is none."""
    project(tmp_path)
    config = load_config(tmp_path, environment={"DATABASE_URL": "d"})
    assert (config.direct_url, config.replica_url, config.scratch_url) == ("d", None, None)
    config = load_config(
        tmp_path,
        environment={
            "DATABASE_URL": "",
            "TODO_SQL_DIRECT_URL": "m",
            "TODO_SQL_SCRATCH_URL": "s",
        },
    )
    assert (config.database_url, config.direct_url, config.scratch_url) == (None, "m", "s")


def test_no_secret_in_a_repr(tmp_path: Path) -> None:
    """The environment holds passwords: a configuration shows none of it."""
    config = load_config(
        project(tmp_path), environment={"DATABASE_URL": "postgresql://u:sesame@h/d"}
    )
    assert "sesame" not in repr(config)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("migration = 'x'", "unknown key `migration`"),
        ("migrations = 3", "`migrations` under"),
        ("generate = ['x']", "`generate` under"),
        ("postgres = 14", "`postgres` under"),
        ("postgres = '18'", "`postgres` under"),
        ("types = 'x'", "`types` under"),
        ("types = { a = 1 }", "`types` under"),
        ("exempt = 'users'", "`exempt` under"),
        ("exempt = [1]", "`exempt` under"),
        ("tenant = 'user_id'", "`tenant` under"),
        ("tenant = { parameter = 'a' }", "`tenant` under"),
        ("tenant = { parameter = '', setting = 'b', role = 'c' }", "`tenant` under"),
        ("migrations = ", "cannot be read"),
        ("migration = 'x'", "did you mean `migrations`?"),
        (
            "nothing_like_it = 'x'",
            "use one of enums, exempt, generate, ignore, ledger, lint, migrations",
        ),
        ("tenant = { parameter = 'a', setting = 'b', rol = 'c' }", "unknown key `tenant.rol`"),
        ("tenant = { parameter = 'a', setting = 'b', rol = 'c' }", "did you mean `role`?"),
        ("tenant = { parameter = 'a', setting = 'b', rol = 'c' }", "`tenant` `role`: field requ"),
        ("tenant = { parameter = 'a' }", "`setting`: field required"),
        ("postgres = 14\nseeds = 3", "wrong as well: `postgres`"),
        ("postgres = true", "write a major version, 15 or newer"),
        ("types = { a = 1 }", "`a`: "),
        ("migrations = 3", "input should be a valid string or a valid list\nfix: "),
        ("migrations = ['a', 3]", "`1`: input should be a valid string\nfix: "),
        ("settings = { 'app.x' = [1] }", "`app.x`: input should be a valid string or a valid b"),
        ("settings = { 'appx' = 1 }", "`appx`: string should match"),
        ("lint = { paths = { a = { sverity = 3 } } }", "unknown key `lint.paths.a.sverity`"),
        ("lint = { disabled = ['R501'] }", "did you mean `disable`?"),
        ("lint = { disable = 'R501' }", "`disable`: "),
        ("lint = { severity = { R502 = 'none' } }", "`severity.R502`: "),
        ("lint = { paths = { 'old/*' = 'R501' } }", "`paths.old/*"),
        ("types = { a = '__import__(\"os\").getpid()' }", "`a`: "),
        ("types = { a = 'list[\"print(1)\"]' }", "`a`: "),
    ],
)
def test_a_wrong_section_is_an_error_with_a_fix(section: str, message: str, tmp_path: Path) -> None:
    """Each mistake is named with its file, and with what to write instead."""
    with pytest.raises(ConfigError) as caught:
        load_config(project(tmp_path, section), environment=NOTHING)
    assert message in str(caught.value)
    assert "pyproject.toml" in str(caught.value)
    assert "fix: " in str(caught.value)


def test_a_section_must_be_a_table(tmp_path: Path) -> None:
    """`todo-sql` under [tool] may not be a plain value."""
    (tmp_path / "pyproject.toml").write_text("[tool]\ntodo-sql = 1\n")
    with pytest.raises(ConfigError, match="is not a table"):
        load_config(start=tmp_path, environment=NOTHING)


def test_a_folder_without_a_project_is_an_error(tmp_path: Path) -> None:
    """A folder named on purpose must be a project."""
    with pytest.raises(ConfigError, match="todo-sql init"):
        load_config(tmp_path, environment=NOTHING)


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    """A pyproject.toml in another encoding is an error of the file."""
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.todo-sql]\nseeds = '\xe4'\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(start=tmp_path, environment=NOTHING)
