UPDATE website SET domain = NULL, cdn_activated = false, robots_txt = E'User-agent: *\nDisallow: /';
UPDATE ir_ui_view SET active = true WHERE key IN ('web.neutralize_banner', 'website.neutralize_ribbon');
