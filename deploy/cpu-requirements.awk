# Leaves out of requirements.lock what only a machine with a GPU uses, and torch, whose wheels on the package index load CUDA.
# What is left keeps its hashes: awk -f deploy/cpu-requirements.awk requirements.lock
/^[A-Za-z0-9]/ { kept = $0 !~ /^(torch|torchaudio|torchvision|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==/ }
kept
