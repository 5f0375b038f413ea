# cairn for use with a ClickHouse server or cluster; docker-compose.yml shows both. The embedded engine is left out: it
# would add 566 MB to an image that talks to a server.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/cairn ./cmd/cairn

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cairn \
    && install -d -o cairn -g cairn -m 0750 /var/lib/cairn
COPY --from=build /out/cairn /usr/local/bin/cairn
USER 10001
ENV CAIRN_DATA=/var/lib/cairn CAIRN_LISTEN=0.0.0.0:8080
VOLUME /var/lib/cairn
EXPOSE 8080
ENTRYPOINT ["cairn"]
CMD ["serve"]
