#!/usr/bin/env bash
# Figures of the decoder on a quiet machine: run from the clone, about 40 minutes, 12 GB of memory, 12 GB of disk.
# usage: bench_all.sh OUT
set -uo pipefail
out=${1:-build/bench}; mkdir -p "$out"; bin=.venv/bin
export HF_HUB_OFFLINE=1
grep -m1 'model name' /proc/cpuinfo | tee "$out/processor"; uptime | tee -a "$out/processor"
$bin/python -c 'import ctranslate2' 2>/dev/null || $bin/python -m pip install -q ctranslate2
run() { local name=$1; shift; echo "== $name"; "$@" >"$out/$name" 2>"$out/$name.err" || echo "failed, see $out/$name.err"; cat "$out/$name"; }
bench() { local name=$1; shift; run "$name" $bin/llmstep bench runtime --rounds 7 "$@"; }
bench byt5-ctranslate2 --model byt5-300m-shape --dtype int8 --prompt-tokens 50 --prompt-tokens 200 --prompt-tokens 400 --against ctranslate2
bench byt5-int4 --model byt5-300m-shape --dtype int4 --prompt-tokens 200
for target in avx512-vnni avx-vnni avx2 plain; do
  LLMSTEP_DECODER_TARGET=$target bench "byt5-$target" --model byt5-300m-shape --dtype int8 --prompt-tokens 200
  LLMSTEP_DECODER_TARGET=$target bench "qwen2-1.5b-$target" --model qwen2-1.5b-shape --dtype int8 --prompt-tokens 200
done
bench qwen2-1.5b-int4 --model qwen2-1.5b-shape --dtype int4 --prompt-tokens 200
bench pythia-int8 --model pythia-2.8b-shape --dtype int8 --prompt-tokens 100 --prompt-tokens 400
run load-byt5 $bin/python -m benchmarks load --rounds 3
run load-pythia $bin/python -m benchmarks load --model pythia-2.8b-shape --rounds 3
run start $bin/python -m benchmarks start
