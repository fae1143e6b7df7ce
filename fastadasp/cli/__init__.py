"""The commands: one file each, in which `main(arguments)` does the work and the first line says what it does."""

from fastadasp.process.cores import wait_passively

wait_passively()  # here, since every command imports this package before it imports torch
