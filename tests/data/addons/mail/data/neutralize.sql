UPDATE fetchmail_server SET active = false;
