"""For tests and notebooks alike, before torch is imported."""

import os

# Threads that spin while they wait starve one another where other jobs share the cores: a notebook then takes ten times
# as long. Kernels inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
