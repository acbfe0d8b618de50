# The image of Tollgate: one static binary, the certificates of public authorities, a folder for data. No shell, no libc.
#
#   docker build --build-arg COMMIT=$(git rev-parse HEAD) --build-arg VERSION=0.1.0 --tag tollgate:0.1.0 .
#
# BINARY_FROM=prebuilt takes target/dist/tollgate and target/dist/ca-certificates.crt instead of compiling, and needs no
# image of anybody else's. docs/deploy/container.md tells more.
ARG BINARY_FROM=build

# Both stages leave files of the image in /out/image, and an empty folder in /out/empty.
FROM docker.io/library/rust:1.95.0-bookworm AS build
WORKDIR /build
COPY . .
# .git is not in the context, so the commit has to be told.
ARG COMMIT
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    TOLLGATE_COMMIT=${COMMIT} scripts/release \
    && install -D -m 755 target/dist/tollgate /out/image/tollgate \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/image/etc/ssl/certs/ca-certificates.crt \
    && mkdir /out/empty

FROM scratch AS prebuilt
WORKDIR /out/empty
COPY --chmod=755 target/dist/tollgate /out/image/tollgate
COPY --chmod=644 target/dist/ca-certificates.crt /out/image/etc/ssl/certs/ca-certificates.crt

FROM ${BINARY_FROM} AS payload

FROM scratch AS runtime
ARG COMMIT VERSION SOURCE
LABEL org.opencontainers.image.title="tollgate" \
      org.opencontainers.image.description="A governed MCP server" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=payload /out/image /
# Two folders: the first stays root's, which the second copy would make the user's as well.
COPY --from=payload /out/empty /var/lib
COPY --from=payload --chown=65532:65532 /out/empty /var/lib/tollgate
# A number, so that Kubernetes can tell that it is not root; nothing looks up a name.
USER 65532:65532
# The audit log. It is declared, so that it can be written where the root file system cannot.
VOLUME /var/lib/tollgate
# Sorts that do not fit in memory; there is no /tmp.
ENV SQLITE_TMPDIR=/var/lib/tollgate
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# Alive, not ready: engines that act on this start the container anew, which brings no issuer's keys back.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["/tollgate", "healthcheck", "--alive", "--config", "/etc/tollgate/tollgate.yaml"]
ENTRYPOINT ["/tollgate"]
CMD ["serve", "--config", "/etc/tollgate/tollgate.yaml"]
