# shellcheck shell=sh
systemd-sysusers @NAME@.conf || :
systemd-tmpfiles --create @NAME@.conf || :
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
fi
