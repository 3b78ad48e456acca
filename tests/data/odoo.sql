-- A small database with the shape of Odoo 17: the tables that backup, restore and neutralization look at, and some that
-- only have to arrive. Written for this project; run as the database's owner after odoo_data.py prepared the extensions.
-- psql variables: seed (makes two databases differ), uuid, partners, messages.

CREATE TABLE res_currency (id serial PRIMARY KEY, name varchar NOT NULL UNIQUE, symbol varchar NOT NULL, rounding numeric);
INSERT INTO res_currency (name, symbol, rounding) VALUES ('EUR', '€', 0.01), ('USD', '$', 0.01), ('JPY', '¥', 1);

CREATE TABLE res_partner (
    id serial PRIMARY KEY,
    company_id integer,
    name varchar,
    parent_id integer REFERENCES res_partner ON DELETE SET NULL,
    complete_name varchar,
    type varchar,
    street varchar,
    city varchar,
    email varchar,
    active boolean DEFAULT true,
    is_company boolean,
    color integer,
    comment text,
    partner_latitude numeric,
    create_date timestamp DEFAULT '2024-03-01 08:00:00',
    write_date timestamp,
    CONSTRAINT res_partner_check_name CHECK ((type = 'contact' AND name IS NOT NULL) OR type <> 'contact')
);
COMMENT ON TABLE res_partner IS 'Contact';
COMMENT ON COLUMN res_partner.complete_name IS 'Complete Name';
INSERT INTO res_partner (name, complete_name, type, street, city, email, is_company, color, comment, partner_latitude)
SELECT p.name, p.name, 'contact', (n * 7 % 211) || ' Rue de l''Été', (ARRAY['Köln', 'Lyon', 'Łódź', '東京', 'São Paulo'])[1 + n % 5],
       'contact' || n || '@example.com', n % 4 = 0, n % 12, CASE WHEN n % 3 = 0 THEN repeat(md5(:'seed' || n), n % 40) END, n / 7.0
FROM generate_series(1, :partners) n, LATERAL (SELECT 'Café Nº ' || n || ' ' || substr(md5(:'seed' || n), 1, 6) AS name) p;
CREATE INDEX res_partner_complete_name_trgm ON res_partner USING gin (unaccent((complete_name)::text) gin_trgm_ops);
CREATE INDEX res_partner_parent_id_index ON res_partner (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX res_partner_email_index ON res_partner (lower(email));
UPDATE res_partner SET parent_id = 1 + id / 10 WHERE id % 10 = 3;

CREATE TABLE res_company (
    id serial PRIMARY KEY,
    name varchar NOT NULL CONSTRAINT res_company_name_uniq UNIQUE,
    partner_id integer NOT NULL REFERENCES res_partner ON DELETE RESTRICT,
    currency_id integer NOT NULL REFERENCES res_currency,
    logo_web bytea,
    report_header jsonb
);
INSERT INTO res_company (name, partner_id, currency_id, logo_web, report_header)
VALUES ('My Company ' || :'seed', 1, 1, decode(repeat('89504e47', 200), 'hex'), '{"en_US": "Good things", "fr_FR": "Bonnes choses"}');
ALTER TABLE res_partner ADD CONSTRAINT res_partner_company_id_fkey FOREIGN KEY (company_id) REFERENCES res_company ON DELETE SET NULL;

CREATE TABLE res_users (
    id serial PRIMARY KEY,
    company_id integer NOT NULL REFERENCES res_company,
    partner_id integer NOT NULL REFERENCES res_partner ON DELETE RESTRICT,
    active boolean DEFAULT true,
    login varchar NOT NULL CONSTRAINT res_users_login_key UNIQUE,
    password varchar,
    share boolean,
    signature text,
    notification_type varchar NOT NULL,
    create_date timestamp,
    CONSTRAINT res_users_notification_type CHECK (notification_type = 'email' OR NOT share)
);
INSERT INTO res_users (company_id, partner_id, active, login, password, share, notification_type)
SELECT 1, n, n <> 3, (ARRAY['__system__', 'admin', 'public', 'portal', 'demo'])[n],
       '$pbkdf2-sha512$600000$' || md5(:'seed' || n), n IN (3, 4), 'email' FROM generate_series(1, 5) n;

CREATE TABLE ir_config_parameter (
    id serial PRIMARY KEY, create_uid integer, write_uid integer,
    key varchar NOT NULL CONSTRAINT ir_config_parameter_key_uniq UNIQUE, value text NOT NULL,
    create_date timestamp, write_date timestamp
);
INSERT INTO ir_config_parameter (create_uid, write_uid, key, value, create_date) VALUES
    (1, 1, 'database.secret', md5(:'seed' || 'secret'), '2024-03-01 08:00:00'),
    (1, 1, 'database.uuid', :'uuid', '2024-03-01 08:00:00'),
    (1, 1, 'database.create_date', '2024-03-01 08:00:00', '2024-03-01 08:00:00'),
    (1, 1, 'web.base.url', 'https://' || :'seed' || '.example.com', '2024-03-01 08:00:00'),
    (1, 1, 'base.login_cooldown_after', '10', '2024-03-01 08:00:00'),
    (1, 1, 'iap_extract_endpoint', 'https://iap.example.com', '2024-03-01 08:00:00');

CREATE TABLE ir_module_module (
    id serial PRIMARY KEY, name varchar NOT NULL CONSTRAINT name_uniq UNIQUE, author varchar, state varchar(16),
    latest_version varchar, shortdesc jsonb, application boolean DEFAULT false, license varchar(32), auto_install boolean
);
INSERT INTO ir_module_module (name, author, state, latest_version, shortdesc, license)
SELECT m, 'Odoo S.A.', CASE WHEN m LIKE 'crm%' THEN 'uninstalled' ELSE 'installed' END,
       CASE WHEN m LIKE 'crm%' THEN NULL WHEN m = 'base' THEN '17.0.1.3' ELSE '17.0.1.0' END,
       jsonb_build_object('en_US', initcap(m)), 'LGPL-3'
FROM unnest(ARRAY['base', 'web', 'mail', 'contacts', 'payment', 'website', 'auth_signup', 'bus', 'iap', 'crm', 'crm_iap_mine']) m;

CREATE TABLE ir_actions (id serial PRIMARY KEY, name jsonb NOT NULL, type varchar NOT NULL, help jsonb);
CREATE TABLE ir_act_window (res_model varchar NOT NULL, view_mode varchar, context text, PRIMARY KEY (id)) INHERITS (ir_actions);
CREATE TABLE ir_act_server (
    state varchar NOT NULL, usage varchar NOT NULL, model_name varchar, code text, webhook_url varchar, PRIMARY KEY (id)
) INHERITS (ir_actions);
INSERT INTO ir_act_window (name, type, res_model, view_mode)
SELECT jsonb_build_object('en_US', 'Window ' || n), 'ir.actions.act_window', 'res.partner', 'tree,form' FROM generate_series(1, 20) n;
INSERT INTO ir_act_server (name, type, state, usage, model_name, code, webhook_url)
SELECT jsonb_build_object('en_US', 'Run ' || n), 'ir.actions.server', CASE WHEN n = 12 THEN 'webhook' ELSE 'code' END, 'ir_cron',
       'res.partner', 'model._run(' || n || ')', CASE WHEN n = 12 THEN 'https://hooks.example.com/' || :'seed' END
FROM generate_series(1, 12) n;

CREATE TABLE ir_cron (
    id serial PRIMARY KEY, ir_actions_server_id integer NOT NULL REFERENCES ir_act_server ON DELETE RESTRICT,
    user_id integer NOT NULL REFERENCES res_users, interval_number integer, numbercall integer, priority integer,
    cron_name varchar, interval_type varchar, active boolean, doall boolean, nextcall timestamp NOT NULL, lastcall timestamp
);
INSERT INTO ir_cron (ir_actions_server_id, user_id, interval_number, numbercall, priority, cron_name, interval_type, active, nextcall)
SELECT a.id, 1, 1, -1, 5, CASE WHEN row_number() OVER (ORDER BY a.id) = 1 THEN 'Base: Auto-vacuum internal data'
       ELSE 'Job ' || a.id END, 'days', true, '2024-03-02 01:00:00' FROM ir_act_server a WHERE a.state = 'code';

CREATE TABLE ir_model_data (
    id serial PRIMARY KEY, res_id integer, noupdate boolean DEFAULT false, name varchar NOT NULL, module varchar NOT NULL,
    model varchar NOT NULL, CONSTRAINT ir_model_data_name_nospaces CHECK (name NOT LIKE '% %')
);
CREATE UNIQUE INDEX ir_model_data_module_name_uniq_index ON ir_model_data (module, name);
INSERT INTO ir_model_data (res_id, name, module, model) SELECT id, 'autovacuum_job', 'base', 'ir.cron' FROM ir_cron
WHERE cron_name = 'Base: Auto-vacuum internal data';
INSERT INTO ir_model_data (res_id, name, module, model) SELECT id, lower(name), 'base', 'res.currency' FROM res_currency;

CREATE TABLE ir_mail_server (
    id serial PRIMARY KEY, smtp_port integer, sequence integer, name varchar NOT NULL, from_filter varchar, smtp_host varchar,
    smtp_authentication varchar NOT NULL, smtp_user varchar, smtp_pass varchar, smtp_encryption varchar NOT NULL,
    smtp_debug boolean, active boolean
);
INSERT INTO ir_mail_server (smtp_port, sequence, name, smtp_host, smtp_authentication, smtp_user, smtp_pass, smtp_encryption, active)
VALUES (465, 10, 'Outgoing', 'smtp.example.com', 'login', 'odoo', 'not-for-staging', 'ssl', true);

CREATE TABLE fetchmail_server (
    id serial PRIMARY KEY, port integer, name varchar NOT NULL, state varchar, server varchar, server_type varchar NOT NULL,
    "user" varchar, password varchar, active boolean, is_ssl boolean
);
INSERT INTO fetchmail_server (port, name, state, server, server_type, "user", password, active, is_ssl)
VALUES (993, 'Incoming', 'done', 'imap.example.com', 'imap', 'odoo', 'not-for-staging', true, true);

CREATE TABLE payment_provider (
    id serial PRIMARY KEY, name jsonb NOT NULL, code varchar NOT NULL, state varchar NOT NULL, company_id integer REFERENCES res_company,
    is_published boolean
);
INSERT INTO payment_provider (name, code, state, company_id, is_published)
VALUES ('{"en_US": "Wire Transfer"}', 'custom', 'enabled', 1, true), ('{"en_US": "Demo"}', 'demo', 'test', 1, false);

CREATE TABLE iap_account (id serial PRIMARY KEY, service_name varchar, account_token varchar(43));
INSERT INTO iap_account (service_name, account_token) VALUES ('sms', substr(md5(:'seed' || 'iap'), 1, 20));

CREATE TABLE website (id serial PRIMARY KEY, name varchar NOT NULL, domain varchar, cdn_activated boolean, cdn_url varchar, robots_txt text);
INSERT INTO website (name, domain, cdn_activated, robots_txt) VALUES ('Shop', 'https://shop.example.com', true, 'User-agent: *');

CREATE TABLE ir_ui_view (
    id serial PRIMARY KEY, priority integer NOT NULL, inherit_id integer REFERENCES ir_ui_view, name varchar NOT NULL, key varchar,
    type varchar, mode varchar NOT NULL, arch_db jsonb, active boolean,
    CONSTRAINT ir_ui_view_inheritance_mode CHECK (mode <> 'extension' OR inherit_id IS NOT NULL)
);
INSERT INTO ir_ui_view (priority, name, key, type, mode, arch_db, active)
SELECT 16, 'view ' || n, CASE n WHEN 1 THEN 'web.neutralize_banner' WHEN 2 THEN 'website.neutralize_ribbon' ELSE 'base.view_' || n END,
       'qweb', 'primary', jsonb_build_object('en_US', '<t>' || md5(n::text) || '</t>'), n > 2 FROM generate_series(1, 60) n;

CREATE TABLE ir_attachment (
    id serial PRIMARY KEY, res_id integer, company_id integer REFERENCES res_company, file_size integer, name varchar NOT NULL,
    res_model varchar, res_field varchar, type varchar NOT NULL, url varchar(1024), access_token varchar, store_fname varchar,
    checksum varchar(40), mimetype varchar, description text, index_content text, public boolean,
    create_date timestamp, write_date timestamp, db_datas bytea
);
CREATE INDEX ir_attachment__store_fname_index ON ir_attachment (store_fname);
CREATE INDEX ir_attachment_res_idx ON ir_attachment (res_model, res_id);
CREATE INDEX ir_attachment__url_index ON ir_attachment (url) WHERE url IS NOT NULL;
INSERT INTO ir_attachment (name, type, url, mimetype) VALUES ('a link', 'url', 'https://example.com/a', 'application/octet-stream');
INSERT INTO ir_attachment (name, type, file_size, checksum, mimetype, db_datas)
VALUES ('kept in the database', 'binary', 5, 'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d', 'text/plain', 'hello');
INSERT INTO ir_attachment (name, type, file_size, checksum, mimetype, db_datas)
VALUES ('empty', 'binary', 0, 'da39a3ee5e6b4b0d3255bfef95601890afd80709', 'text/plain', '');

CREATE TABLE mail_message (
    id serial PRIMARY KEY, parent_id integer REFERENCES mail_message ON DELETE SET NULL, res_id integer,
    author_id integer REFERENCES res_partner ON DELETE SET NULL, subject varchar, model varchar, message_type varchar NOT NULL,
    email_from varchar, message_id varchar, body text, date timestamp
);
INSERT INTO mail_message (res_id, author_id, subject, model, message_type, message_id, body, date)
SELECT n % :partners, 1 + n % :partners, 'Re: order ' || n, 'res.partner', 'comment', '<' || md5(:'seed' || n) || '@example.com>',
       '<p>' || repeat(md5(n::text) || ' ', 1 + n % 20) || '</p>', timestamp '2024-01-01' + n * interval '17 minutes'
FROM generate_series(1, :messages) n;
CREATE INDEX mail_message__message_id_index ON mail_message (message_id);
CREATE INDEX mail_message_model_res_id_idx ON mail_message (model, res_id);

CREATE TABLE mail_message_res_partner_rel (
    mail_message_id integer NOT NULL REFERENCES mail_message ON DELETE CASCADE,
    res_partner_id integer NOT NULL REFERENCES res_partner ON DELETE CASCADE, PRIMARY KEY (mail_message_id, res_partner_id)
);
INSERT INTO mail_message_res_partner_rel SELECT id, 1 + id % :partners FROM mail_message WHERE id % 4 = 0;

CREATE VIEW partner_messages AS SELECT author_id, count(*) AS messages, max(date) AS latest FROM mail_message GROUP BY author_id;
CREATE SEQUENCE ir_sequence_001 START 4711;
SELECT nextval('ir_sequence_001') \g /dev/null
CREATE FUNCTION partner_label(p res_partner) RETURNS varchar LANGUAGE sql STABLE AS 'SELECT p.name || '' <'' || p.email || ''>''';
