#!/usr/bin/env bash
# Figures of the decoder on a quiet machine: run from the clone, about 25 minutes, 12 GB of memory, 12 GB of disk.
# usage: decoder.sh [OUT]    ctranslate2, xllamacpp and gguf have to be installed
set -uo pipefail
out=${1:-build/bench}; mkdir -p "$out"; python=${PYTHON:-.venv/bin/python}
export HF_HUB_OFFLINE=1
grep -m1 'model name' /proc/cpuinfo | tee "$out/processor"; grep -m1 -o 'avx.*' /proc/cpuinfo >>"$out/processor"
run() { local name=$1; shift; echo "== $name $(date +%T)"; "$@" >"$out/$name" 2>"$out/$name.err" || echo "failed, see $out/$name.err"; cat "$out/$name"; }
bench() { local name=$1; shift; run "$name" $python -m llmstep bench runtime "$@"; }
byt5=(--model byt5-300m-shape --prompt-tokens 200) qwen=(--model qwen2-1.5b-shape --prompt-tokens 200)
bench byt5-ctranslate2 "${byt5[@]}" --prompt-tokens 50 --prompt-tokens 400 --rounds 7 --against ctranslate2
bench byt5-int4 "${byt5[@]}" --dtype int4
bench qwen2-ctranslate2 "${qwen[@]}" --prompt-tokens 50 --rounds 3 --against ctranslate2
bench qwen2-llama.cpp "${qwen[@]}" --prompt-tokens 50 --rounds 3 --against llama.cpp
bench qwen2-int4 "${qwen[@]}" --dtype int4 --rounds 3
for target in avx-vnni avx2 plain; do
  export LLMSTEP_DECODER_TARGET=$target
  bench "byt5-$target" "${byt5[@]}"
  if [ $target = avx2 ]; then bench qwen2-avx2-llama.cpp "${qwen[@]}" --rounds 3 --against llama.cpp
  else bench "qwen2-$target" "${qwen[@]}" --rounds 3; fi
done
unset LLMSTEP_DECODER_TARGET
bench pythia "--model" pythia-2.8b-shape --prompt-tokens 100 --prompt-tokens 400 --rounds 3
run load-byt5 $python -m benchmarks load --rounds 3
run load-pythia $python -m benchmarks load --model pythia-2.8b-shape --rounds 2
bench starter --model starter --rounds 9
run start $python -m benchmarks start --rounds 5
