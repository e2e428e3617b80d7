# The director's image: atq-director, atq and atq-agent, the libraries they need, and nothing else. Runs as user 65532 on
# a read-only root file system. The same file builds for amd64 and arm64; hack/image builds it, with or without a daemon.
FROM debian:bookworm-slim AS build
COPY hack/lib/common.sh /src/hack/lib/common.sh
RUN bash -c '. /src/hack/lib/common.sh && need_packages "${build_packages[@]}" ca-certificates python3' \
 && rm -rf /var/lib/apt/lists/*
COPY . /src
WORKDIR /src
RUN cmake --preset release -DATQ_TESTS=OFF \
 && cmake --build --preset release --target atq-director atq atq-agent \
 && strip build/release/bin/atq-director build/release/bin/atq \
 && hack/lib/image-root build/release/bin /image

FROM scratch
LABEL org.opencontainers.image.title="ATQ Director" \
      org.opencontainers.image.description="Distributed load tests as one declarative object" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
ENV PATH=/:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 65532:65532
ENTRYPOINT ["/atq-director"]
