# `python -m bench.image` runs these steps in a bare Debian and measures what comes of them.
FROM debian:trixie-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates make npm python3 python3-venv
WORKDIR /build
COPY . .
# What lets the pages run the model in the browser.
RUN make web
RUN python3 -m venv /opt/imageprocess \
 && /opt/imageprocess/bin/pip install --no-cache-dir -r requirements.txt \
 # An object file that c2pa's wheel carries by mistake, 31 MB; nothing loads it.
 && find /opt/imageprocess -name '*.rlib' -delete \
 # ONNX Runtime's C library, 35 MB: Python's module has all of it inside.
 && find /opt/imageprocess -name 'libonnxruntime.so.*' -delete \
 && rm -rf /opt/imageprocess/lib/python3.*/site-packages/pip*
# The list of known signers; without it every signer counts as unknown, and the reason says so.
RUN XDG_DATA_HOME=/opt/imageprocess/share /opt/imageprocess/bin/imageprocess trust update || true

# The better model; without it the small one answers. Composing needs onnx, running does not.
RUN python3 -m venv /tmp/get && /tmp/get/bin/pip install --no-cache-dir -c constraints.txt '.[get]' \
 && (XDG_DATA_HOME=/opt/imageprocess/share /tmp/get/bin/imageprocess model get clip || true)

FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && useradd --system --uid 10001 --no-create-home imageprocess
COPY --from=build /opt/imageprocess /opt/imageprocess
USER imageprocess
ENV PATH=/opt/imageprocess/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    XDG_DATA_HOME=/opt/imageprocess/share HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python3", "-c", \
 "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=4)"]
CMD ["imageprocess", "serve"]
