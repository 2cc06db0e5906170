"""What several formats share: hostile bytes (`reading`), sharing marks, observables, prose, and drafts made whole (`drafting`)."""
