# SPDX-License-Identifier: MIT
# Runs the program, its output to descriptors 3 and 4 of ours, and goes on after every stop of every process that is
# held, until there is none.
set confirm off
set pagination off
python
def go(command):
    try:
        gdb.execute(command, to_string=True)
    except gdb.error:
        pass

go('run >&3 2>&4')
for stop in range(2000):
    living = [one for one in gdb.inferiors() if one.pid]
    if not living:
        break
    if not gdb.selected_inferior().pid:
        go('inferior %d' % living[0].num)
    go('continue')
end
