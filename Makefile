# `make demo` shows the product; `make test` runs everything. Both build .venv first and
# need nothing but Python 3.11 or newer and a package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS := $(VENV)/.docs
POSTGRES ?= 18
# One more than there are processors: a test also waits, for servers and other programs.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(6, 1 + (os.cpu_count() or 1)))')
# What runs side by side is shown piece by piece, where make can.
ORDERLY := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# The demo, the checks and the suite never touch a database that the environment names, and
# keep what Python compiled: each of their hundreds of processes would compile it again.
LOCAL := env -u DATABASE_URL -u TODO_SQL_DIRECT_URL -u TODO_SQL_REPLICA_URL -u TODO_SQL_SCRATCH_URL \
	-u PGHOST -u PGHOSTADDR -u PGDATABASE -u PGSERVICE -u PYTHONDONTWRITEBYTECODE

.PHONY: demo test checks lint project pages docs suite suite-on security example clean

demo: $(READY)
	@$(LOCAL) $(BIN)/todo-sql migrate --quiet
	@$(LOCAL) $(BIN)/todo-sql seed --quiet
	@$(LOCAL) $(BIN)/python examples/demo.py
	@echo
	@echo "Where to go next:  $(BIN)/todo-sql --help     every command, with an example"
	@echo "                   $(BIN)/todo-sql db shell   psql on the embedded server"
	@echo "                   $(BIN)/todo-sql db stop    stop it; the data stays in .todo-sql/"
	@echo "                   README.md, docs/           guides; migrations/, queries/: the SQL"

test: checks suite

# All but the suite, side by side: each waits, too, for a server or a package index.
checks: $(READY)
	@$(MAKE) --no-print-directory --jobs 3 $(ORDERLY) lint project example

# The code.
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The project under its own tools: style and safety of the SQL, every query against the
# migrated schema, every rollback proved, generated files agreeing with their sources.
project: $(READY)
	$(LOCAL) $(BIN)/todo-sql lint
	$(LOCAL) $(BIN)/todo-sql lint todo_sql
	$(LOCAL) $(BIN)/todo-sql check
	$(LOCAL) $(BIN)/todo-sql verify
	$(LOCAL) $(BIN)/todo-sql generate --check
	$(LOCAL) $(BIN)/todo-sql docs --check

# The pages that are made from the code; the suite holds that they agree with it.
pages: $(READY)
	$(BIN)/todo-sql lint --rules > docs/rules.md
	$(BIN)/todo-sql rewrite --recipes > docs/recipes.md
	$(BIN)/todo-sql explain --all > docs/codes.md

# The site in build/site, strictly: every link, anchor and name of the API is checked.
docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The suite: on PostgreSQL 18, migrated by a superuser; then what depends on the server or on
# the owner once more on 16, migrated by an owner that is neither superuser nor BYPASSRLS.
suite: $(READY)
	$(LOCAL) $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal --postgres 18 --owner superuser
	$(LOCAL) $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal --postgres 16 --owner plain -m database

# The attacks on every server that is here, for both kinds of owner.
security: $(READY)
	for server in 15 16 18; do for owner in superuser plain; do \
		$(LOCAL) TODO_SQL_SOAK=full $(BIN)/pytest tests/security --numprocesses $(WORKERS) --postgres $$server --owner $$owner || exit 1; \
	done; done

# The example as somebody who copies it has it: an environment and tests of its own, with the
# real Better Auth where Node is.
example:
	$(LOCAL) $(MAKE) --directory examples/fastapi_backend test

# What depends on the server or on the owner, on the PostgreSQL of TODO_SQL_POSTGRES_BIN.
suite-on: $(READY)
	$(LOCAL) $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal --postgres $(POSTGRES) --owner plain -m database

$(DOCS): $(READY)
	$(BIN)/python -m pip install --quiet --group docs
	touch $(DOCS)

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("todo-sql needs Python 3.11 or newer; try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	touch $(READY)

clean:
	-$(BIN)/todo-sql db stop
	rm -rf $(VENV) .todo-sql build dist
	$(MAKE) --directory examples/fastapi_backend clean
