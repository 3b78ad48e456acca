# shellcheck shell=sh
# 0: the last version goes; otherwise another one has come.
if [ "$1" -eq 0 ] && [ -d /run/systemd/system ]; then
    systemctl --no-reload disable --now @NAME@.service || :
fi
