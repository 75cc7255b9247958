# The real image runs as "nonroot", 65532, and has its program at the root.
FROM scratch
COPY mcp-proxy /mcp-proxy
COPY probe /usr/local/bin/probe
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["/mcp-proxy"]
