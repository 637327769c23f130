// One scan of pg_extension, which has no cache and a handful of rows.
#include "pg/extension.hpp"

#include <cstring>

namespace pulse::pg {

bool Installed::is_ours() const { return exists() && std::strcmp(version, kVersion) == 0; }

bool Installed::operator==(const Installed &other) const { return oid == other.oid && std::strcmp(version, other.version) == 0; }

std::optional<std::string> running_extension() {
    if (!creating_extension) return std::nullopt;
    return call([]() -> const char * {
        const char *name = get_extension_name(CurrentExtensionObject);
        return name != nullptr ? name : "";
    });
}

Installed installed_extension() {
    Installed found;
    Relation table = table_open(ExtensionRelationId, AccessShareLock);
    SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
    while (HeapTuple tuple = systable_getnext(scan)) {
        if (strcmp(NameStr(reinterpret_cast<Form_pg_extension>(GETSTRUCT(tuple))->extname), "pulse") != 0) continue;
        bool is_null = false;
        const Datum version = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(table), &is_null);
        found.oid = reinterpret_cast<Form_pg_extension>(GETSTRUCT(tuple))->oid;
        if (!is_null) strlcpy(found.version, TextDatumGetCString(version), sizeof found.version);
    }
    systable_endscan(scan);
    table_close(table, AccessShareLock);
    return found;
}

}  // namespace pulse::pg
