"""The Hugging Face hub: downloads of models into its cache, and whether what is there is whole."""
