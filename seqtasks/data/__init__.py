"""From raw files to batches: sources (files, TFDS -> examples), encoders (example -> tensors), pipelines (-> batches)."""
