-- After the header of all packs. PostgreSQL 15 cannot write @extschema:postgis@: the schema of PostGIS is looked up and added
-- to the path of this script. Functions bind PostGIS's names while it runs (BEGIN ATOMIC) and never look for them later: that schema
-- may be one where others create.
SELECT pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, %I, pg_temp', n.nspname), true)
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'postgis';
