"""Running Concordance on one machine: its servers, its processes, and what keeps them alive. Without Django."""
