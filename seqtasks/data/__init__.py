"""From raw files to batches: sources (-> examples), vocabularies and text (-> tensors), pipelines (-> batches)."""
