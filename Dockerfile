# The service in a small image: built in one stage, run in another that has only the libraries it needs.
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY tests/check/packages.sh tests/check/
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(sh tests/check/packages.sh build) \
 && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make && strip build/release/bin/vidbatchd

FROM debian:bookworm-slim
COPY tests/check/packages.sh /tmp/packages.sh
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(sh /tmp/packages.sh runtime) \
 && rm -rf /var/lib/apt/lists/* /tmp/packages.sh \
 && useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin vidbatch
COPY --from=build /src/build/release/bin/vidbatchd /usr/local/bin/vidbatchd
COPY LICENSE /usr/share/doc/vidbatch/LICENSE

# Inside a container the loopback reaches nobody. Any other address needs an API key (VIDBATCH_BOOTSTRAP_KEY, or one that is in the
# database), or VIDBATCH_ALLOW_OPEN=true: something in front of it keeps strangers out (compose.yaml publishes on 127.0.0.1 only).
ENV VIDBATCH_LISTEN=0.0.0.0:8080 \
    VIDBATCH_MIGRATE_ON_START=true \
    VIDBATCH_LOG=json
EXPOSE 8080
USER 10001:10001
STOPSIGNAL SIGTERM
# Asks /livez of the server's own address; the image has no curl.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["/usr/local/bin/vidbatchd", "health"]
ENTRYPOINT ["/usr/local/bin/vidbatchd"]
