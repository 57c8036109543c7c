# Migrates and exits:
#   docker build --tag todo-sql .
#   docker run --rm --env DATABASE_URL --volume "$PWD:/project:ro" todo-sql
FROM python:3.13-slim AS build
COPY . /source
RUN python -m venv /opt/todo-sql && /opt/todo-sql/bin/pip install --no-cache-dir /source

FROM python:3.13-slim
COPY --from=build /opt/todo-sql /opt/todo-sql
RUN useradd --system --no-create-home --shell /usr/sbin/nologin migrator
USER migrator
WORKDIR /project
ENV PATH="/opt/todo-sql/bin:$PATH" PYTHONUNBUFFERED=1
ENTRYPOINT ["todo-sql"]
CMD ["migrate", "--wait", "60"]
