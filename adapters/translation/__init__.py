"""Code that formats share: hostile bytes (`reading`), sharing markings, observables, prose, and completion of drafts (`drafting`)."""
