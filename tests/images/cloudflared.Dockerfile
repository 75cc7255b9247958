# Entry point, command and user as in Cloudflare's image.
FROM scratch
COPY cloudflared /usr/local/bin/cloudflared
COPY probe /usr/local/bin/probe
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["cloudflared", "--no-autoupdate"]
CMD ["version"]
