"""The reward function of OpenRLHF, as a file.

    --reward.remote_url examples/training/openrlhf_reward.py

OpenRLHF looks for a function of this name in it. The judge, and how its scores become rewards, stand in the file that
JUDGE_REWARD names.
"""

from judge.rewards.openrlhf import reward_func

__all__ = ["reward_func"]
