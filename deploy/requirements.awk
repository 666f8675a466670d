# What an image installs of requirements.lock: all but the tools of development. What is left keeps its hashes.
#   awk -f deploy/requirements.awk deploy/development.txt requirements.lock
# With -v slim=1 also without what only a machine with a GPU uses, and without torch, whose wheels on the package index load CUDA.
FNR == NR { development[$1]; next }
/^[A-Za-z0-9]/ {
    name = substr($0, 1, index($0, "==") - 1)
    kept = !(name in development)
    if (slim && name ~ /^(torch|torchaudio|torchvision|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)$/) kept = 0
}
kept
