# make demo | test | lab | run VIDEO=path | batch VIDEOS="a.mp4 b.mp4"    (`make` alone lists them)
PYTHON ?= python3
PY := .venv/bin/python
# Everything that jupyter, matplotlib and numba would put into the home folder stays in the clone.
export JUPYTER_DATA_DIR := $(CURDIR)/.cache/jupyter/data
export JUPYTER_CONFIG_DIR := $(CURDIR)/.cache/jupyter/config
export JUPYTER_RUNTIME_DIR := $(CURDIR)/.cache/jupyter/runtime
export IPYTHONDIR := $(CURDIR)/.cache/ipython
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
export NUMBA_CACHE_DIR := $(CURDIR)/.cache/numba
MODELS := data/models/blazepose/pose_landmark_full.tflite
# What pytest and Python compile is kept beside it: the next run of the tests starts in half the time.
unexport PYTHONDONTWRITEBYTECODE
ARGS ?=
# One worker more than cores, as some tests wait for programs; tests/conftest.py says which come first.
WORKERS = $(shell $(PY) -c "import os; print(min(8, os.cpu_count() + 1))")
TESTS = $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Jupyter refuses root unless told; in a container there is often nobody else
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
.PHONY: help env models demo test test-all lint lab run batch clips pose3d gallery body bench-demo bench-real bench-nvr bench-nvr-scaling \
        bench-pose3d bench-surface bench-garments bench-mutants train-lifter train-pamir bench-pamir \
        bench-cluster bench-scaling bench-long-clips torture clean
help:        ## list the commands
	@grep -hE '^[a-z0-9-]+:.*##' Makefile | sed 's/:.*##/\t/'
env: .venv/.ready  ## build .venv with the pinned packages
models: $(MODELS)  ## fetch the detector's model files (7 MB; with npm installed 28 MB more; Apache-2.0)
demo: env models   ## the whole chain on the synthetic subject, with a report and measured quality
	$(PY) -m hvr_nb demo $(ARGS)
test: env models   ## run the tests on all cores
	$(TESTS) -m "not slow" $(ARGS)
test-all: env models  ## the same and the slow, full-size checks
	$(TESTS) $(ARGS)
lint: env          ## check the style
	.venv/bin/ruff check . && .venv/bin/ruff format --check hvr_nb scripts tests
lab: env models    ## open the workbook in JupyterLab: START and copies of the notebooks in workbook/
	$(PY) -m hvr_nb workbook
	HVR_NB_LIVE=1 .venv/bin/jupyter lab --LabApp.news_url=None --LabApp.default_url=/lab/tree/workbook/START.ipynb \
	    --ContentsManager.pre_save_hook=hvr_nb.viewing.saving.without_widgets \
	    --ServerApp.tornado_settings='{"websocket_max_message_size": 1073741824}' $(AS_ROOT) $(ARGS)
run: env models    ## one video or photo:  make run VIDEO=path [ARGS="-p 05_train.iters 3000"]
	$(if $(VIDEO),,$(error give a video: make run VIDEO=path  (make demo runs the synthetic person)))
	$(PY) -m hvr_nb run "$(VIDEO)" $(ARGS)
batch: env models  ## several videos:  make batch VIDEOS="a.mp4 b.mp4"
	$(if $(VIDEOS),,$(error give videos: make batch VIDEOS="a.mp4 b.mp4"))
	$(PY) -m hvr_nb batch $(VIDEOS) $(ARGS)
clips:             ## one page and one table over all clips:  make clips [ARGS=folder]
	$(PY) -m hvr_nb clips $(ARGS)
pose3d: env models ## the people of a video as 3D skeletons only:  make pose3d VIDEO=path [ARGS="--person 0"]
	$(if $(VIDEO),,$(error give a video: make pose3d VIDEO=path))
	$(PY) -m hvr_nb pose3d "$(VIDEO)" $(ARGS)
gallery: env       ## meshes of all frames in one offline page:  make gallery CLIP=data/clips/name
	$(if $(CLIP),,$(error give a clip: make gallery CLIP=data/clips/name))
	$(PY) -m hvr_nb gallery "$(CLIP)" $(ARGS)
body: env          ## build the open body again from the CC0 data
	$(PY) -m scripts.assets.open_body
bench-demo: env models  ## synthetic subject, full quality: estimated chain and true body (slow)
	$(PY) -m scripts.bench.synthetic $(ARGS)
bench-real: env models  ## the footage under HVR_SHARED_DATA or ../shared/data (slow)
	$(PY) -m scripts.bench.real $(ARGS)
bench-nvr: env     ## the avatar's training against a re-creation of Instant-NVR's (slow, 6 GB of memory)
	$(PY) -m scripts.bench.nvr $(ARGS)
bench-nvr-scaling: env  ## the avatar's training and rendering against picture size, frames and levels
	$(PY) -m scripts.bench.nvr_scaling $(ARGS)
bench-pose3d: env models  ## the lifter on motion capture (HVR_SHARED_DATA) and on measured 2D joints
	$(PY) -m scripts.bench.pose3d $(ARGS)
bench-mutants: env models  ## small faults put into the source: how many a wing's own tests notice (slow)
	$(PY) -m scripts.bench.mutants $(ARGS)
train-lifter: env  ## learn the lifter's weights again from motion capture (HVR_SHARED_DATA, slow)
	$(PY) -m scripts.train.lifter $(ARGS)
bench-pamir: env models ## PaMIR's meshes against clothed people that no training saw
	$(PY) -m scripts.bench.pamir $(ARGS)
train-pamir: env   ## learn PaMIR's weights again from people drawn here (HVR_SHARED_DATA for their poses, slow)
	$(PY) -m scripts.train.pamir $(ARGS)
bench-surface: env models  ## the clothed mesh against the true one, synthetic subjects (slow)
	$(PY) -m scripts.bench.surface $(ARGS)
bench-garments: env models  ## garments against the true ones, synthetic subjects (slow)
	$(PY) -m scripts.bench.garments $(ARGS)
bench-cluster: env models ## ten tiny videos through SLURM on this machine, one preempted (Debian's slurmctld, slurmd, munge)
	$(PY) -m scripts.bench.cluster $(ARGS)
bench-long-clips: env  ## memory and time of notebooks 00 to 04 by the length of a clip:  make bench-long-clips VIDEO=path
	$(PY) -m scripts.bench.long_clips "$(VIDEO)" $(ARGS)
bench-scaling: env ## hours for 10 to 100,000 videos on 1 to 1,000 nodes: the tables of docs/scaling.md
	$(PY) -m scripts.bench.scaling $(ARGS)
torture: env       ## kills, full disks and bad files:  make torture [N=20]  (a second or two each)
	$(PY) -m scripts.bench.torture $(or $(N),20) $(ARGS)
clean:             ## remove the environment and caches; data/ stays
	rm -rf .venv .cache

.venv/.ready: pyproject.toml
	mkdir -p .cache/ipython .cache/matplotlib .cache/jupyter
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q "$$(grep -o 'torch==[0-9.]*' pyproject.toml)"
	.venv/bin/pip install -q -e '.[test]'
	.venv/bin/jupyter labextension disable "@jupyterlab/apputils-extension:announcements"
	touch $@
$(MODELS): | .venv/.ready
	$(PY) -m scripts.assets.detector --heavy
