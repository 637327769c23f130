-- complain if this script is sourced by psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION @extension@" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;
