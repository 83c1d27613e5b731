# make demo: set up, build, run the main job on real data.    make test: set up, build, run every test.
PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)
FIRESTEEL := $(BUILD)/bin/firesteel

.PHONY: setup peers build demo demo-text demo-images test test-all asan fuzz reference bench-flights bench-loader bench-quality bench-tpc bench-connect bench-training bench-cluster bench-programs bench-embed bench-generate bench-finetune bench-vision bench-tokenizers bench-images models-sweep docs install clean

setup:
	@tools/setup.sh

# What the tests talk to: TensorBoard and MLflow, PySpark's clients.
peers: setup
	@tools/setup.sh tracking
	@tools/setup.sh clients

build: setup
	@mkdir -p build
	@[ -e $(BUILD)/build.ninja ] || cmake --preset $(PRESET) $(if $(FIRESTEEL_TORCH),-DFIRESTEEL_TORCH=$(FIRESTEEL_TORCH)) > build/configure.log 2>&1 || { tail -30 build/configure.log; exit 1; }
	@ninja -C $(BUILD) -j $(JOBS)

demo: build
	@$(FIRESTEEL) run examples/flights/pipeline.toml

# A real sentence encoder, fine-tuned to tell good reviews from bad ones.
demo-text: build
	@tools/setup.sh examples
	@$(FIRESTEEL) run examples/reviews/pipeline.toml

# Photographs classified by EfficientNet-lite0, which is then fine-tuned to read handwritten digits.
demo-images: build
	@tools/setup.sh examples
	@$(FIRESTEEL) --function classify=data/models/efficientnet-lite0 sql --whole -f examples/photos/classify.sql
	@$(FIRESTEEL) run examples/digits/pipeline.toml

test: build peers
	@ctest --test-dir $(BUILD) --output-on-failure -LE long

test-all: build peers
	@ctest --test-dir $(BUILD) --output-on-failure

asan: peers
	@mkdir -p build
	@cmake --preset asan > build/configure-asan.log 2>&1 || { tail -30 build/configure-asan.log; exit 1; }
	@ninja -C build/asan -j $(JOBS) && ctest --test-dir build/asan --output-on-failure -LE long

# libFuzzer on the SQL parser, from the statements of the tests and what was found before. Needs clang 16 or later.
SECONDS ?= 60
fuzz: setup
	@mkdir -p build/fuzz/seeds build/fuzz/found
	@cmake --preset fuzz > build/configure-fuzz.log 2>&1 || { tail -30 build/configure-fuzz.log; exit 1; }
	@ninja -C build/fuzz -j $(JOBS) fuzz_seeds parser_fuzz
	@build/fuzz/tests/fuzz_seeds --seeds build/fuzz/seeds tests/slt
	@ulimit -s 131072; build/fuzz/tests/parser_fuzz -max_total_time=$(SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
	  build/fuzz/found build/fuzz/seeds tests/fuzz/corpus

reference:
	@tools/setup.sh reference

bench-flights: build reference
	@.deps/reference/bin/python bench/flights/compare.py

bench-loader: build reference
	@.deps/reference/bin/python bench/loader/compare.py

bench-tpc: build reference
	@.deps/reference/bin/python bench/tpc/compare.py

bench-connect: build reference
	@tools/setup.sh sail
	@.deps/reference/bin/python bench/connect/compare.py

bench-quality: build reference
	@.deps/reference/bin/python bench/quality/compare.py

bench-cluster: build reference
	@.deps/reference/bin/python bench/cluster/compare.py

bench-training: build reference
	@.deps/reference/bin/python bench/training/compare.py

bench-programs: build
	@tools/setup.sh models
	@.deps/models/bin/python bench/programs/compare.py

bench-vision: build
	@tools/setup.sh models
	@.deps/models/bin/python bench/vision/compare.py

bench-embed: build
	@tools/setup.sh models
	@.deps/models/bin/python bench/embed/compare.py

bench-generate: build
	@tools/setup.sh models
	@.deps/models/bin/python bench/generate/compare.py

bench-images: build
	@tools/setup.sh models
	@.deps/models/bin/python bench/images/compare.py

bench-finetune: build
	@tools/setup.sh models
	@tools/setup.sh examples
	@.deps/models/bin/python bench/finetune/compare.py

# Every TorchVision classification model and 70 Hugging Face architectures against Python, one at a time: some 90 minutes.
# Goes on where a cut one stopped; docs/models.md is printed at its end.
models-sweep: build
	@tools/setup.sh models
	@mkdir -p build/sweep
	@.deps/models/bin/python tests/models/sweep.py $(BUILD)/tests/check_program build/sweep/models.md && cp build/sweep/models.md docs/models.md

bench-tokenizers: build
	@tools/setup.sh tokenizers
	@.deps/tokenizers/bin/python bench/tokenizers/compare.py

docs: build
	@$(FIRESTEEL) functions --markdown > docs/functions.md

install: build
	@cmake --install $(BUILD) --prefix $(or $(PREFIX),/usr/local)

clean:
	rm -rf build
