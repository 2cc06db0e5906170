"""Drafts of experts, judged as `bulletin check` judges them: the good stand, the absurd do not."""
