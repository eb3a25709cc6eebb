# SPDX-License-Identifier: MIT
"""A network of the scenario's own, in which any address can lie on loopback and answer."""
import ctypes
import os
import subprocess

import harness

CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000


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


def own_files(stage, files):
    """This process and what it starts see these files {PATH: text} in the place of those that are there; other texts
    follow with stage.write() under the path's last name."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or libc.unshare(CLONE_NEWNS) or libc.mount(None, b'/', None, MS_REC | MS_PRIVATE, None):
        raise harness.Skip('files of its own need root')
    for path, text in files.items():
        if libc.mount(stage.write(os.path.basename(path), text).encode(), path.encode(), None, MS_BIND, None):
            raise harness.Skip(f'{path}: {os.strerror(ctypes.get_errno())}')


def origin_everywhere(stage):
    """An origin on port 80 of every address."""
    return stage.origin('--listen', '[::]:80', listen='0.0.0.0:80')
