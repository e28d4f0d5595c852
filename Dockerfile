# The workbook on a CPU:
#   docker build -t hvr_nb . && docker run --rm -p 8888:8888 -v "$PWD/data:/hvr_nb/data" hvr_nb
FROM python:3.11-slim
# make: the commands; libgl1 and libglib2.0-0: what opencv-python's wheel does not bring
RUN apt-get update \
    && apt-get install -y --no-install-recommends make libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /hvr_nb
# the packages first, so that a change of the source does not install them again
COPY Makefile pyproject.toml README.md LICENSE ./
COPY hvr_nb/__init__.py hvr_nb/__init__.py
RUN make env
COPY . .
# the detector's files lie outside data/, which is mounted from the host, and are put there at the start
RUN make models && cp -r data/models /hvr_nb_models
EXPOSE 8888
CMD ["sh", "-c", "mkdir -p data/models && cp -rn /hvr_nb_models/. data/models/ && make lab ARGS='--ip=0.0.0.0 --no-browser'"]
