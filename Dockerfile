FROM python:3.13-slim AS build
WORKDIR /build
COPY . .
RUN python -m venv /opt/imageprocess \
 && /opt/imageprocess/bin/pip install --no-cache-dir -r requirements.txt \
 # An object file that c2pa's wheel carries by mistake, 31 MB; nothing loads it.
 && find /opt/imageprocess -name '*.rlib' -delete \
 && rm -rf /opt/imageprocess/lib/python3.*/site-packages/pip*
# The list of known signers; without it every signer counts as unknown, and the reason says so.
RUN XDG_DATA_HOME=/opt/imageprocess/share /opt/imageprocess/bin/imageprocess trust update || true

FROM python:3.13-slim
COPY --from=build /opt/imageprocess /opt/imageprocess
RUN useradd --system --uid 10001 --no-create-home imageprocess
USER imageprocess
ENV PATH=/opt/imageprocess/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    XDG_DATA_HOME=/opt/imageprocess/share HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", \
 "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=4)"]
CMD ["imageprocess", "serve"]
