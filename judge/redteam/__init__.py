"""Attacks on a judge: records -> the same records attacked, scored as any others, and what the attacks brought."""
