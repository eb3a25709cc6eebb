# SPDX-License-Identifier: MIT
"""A network of the scenario's own, in which any address can lie on loopback and answer."""
import ctypes
import os
import subprocess

import harness

CLONE_NEWNET = 0x40000000


def own_network(*addresses):
    """This process and what it starts have a network with these addresses, loopback, and no other."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or libc.unshare(CLONE_NEWNET):
        raise harness.Skip('a network of its own needs root')
    commands = ['link set lo up'] + [f'addr add {a}/{128 if ":" in a else 32} dev lo' + (' nodad' if ':' in a else '') for a in addresses]
    try:
        for command in commands:
            subprocess.run(['ip', *command.split()], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as why:
        raise harness.Skip(f'ip: {why}') from None


def origin_everywhere(stage):
    """An origin on port 80 of every address."""
    return stage.origin('--listen', '[::]:80', listen='0.0.0.0:80')
