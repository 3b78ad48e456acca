#include "agent/jobs/odoo_zip/sql_lines.h"

#include <gtest/gtest.h>

namespace backstay::odoo_zip {
namespace {

// The script in pieces of `piece` bytes.
std::string through(const std::string& script, std::size_t piece, SqlLines::Edit edit) {
    StringSink sink(64 << 20);
    SqlLines lines(sink, std::move(edit));
    for (std::size_t at = 0; at < script.size(); at += piece) {
        EXPECT_TRUE(lines.write(as_bytes(std::string_view(script).substr(at, piece))));
    }
    EXPECT_TRUE(lines.finish());
    return sink.text();
}

void shout(std::string_view line, std::string& out) { out.append("[").append(line).append("]"); }

TEST(SqlLines, ShowsStatementsAndPassesTableData) {
    const std::string script = "SELECT 1;\nCOPY t (a) FROM stdin;\nx\n\\.x\n\\\\.\n\\.\nSELECT 2;\nend";
    for (const std::size_t piece : {1U, 2U, 3U, 7U, 100U}) {
        EXPECT_EQ(through(script, piece, shout),
                  "[SELECT 1;\n][COPY t (a) FROM stdin;\n]x\n\\.x\n\\\\.\n\\.\n[SELECT 2;\n]end")
            << piece;
    }
}

TEST(SqlLines, PassesLinesOfAnyLengthUnchanged) {
    const std::string row(5 << 20, 'r');
    const std::string script =
        "COPY t (a) FROM stdin;\n" + row + "\n\\.\n" + std::string(100'000, 's') + ";\nSELECT 1;\n";
    const auto same = [](std::string_view line, std::string& out) { out.append(line); };
    EXPECT_EQ(through(script, 100'001, same), script);
}

TEST(SqlLines, MakesUnaccentImmutableWhereItIsCreated) {
    const std::string made = "CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;\n";
    const std::string out = through(made, 10, keep_unaccent);
    EXPECT_TRUE(out.starts_with(made));
    EXPECT_NE(out.find("ALTER FUNCTION public.unaccent(text) IMMUTABLE"), std::string::npos);

    // A schema's name that would end the block is none of pg_dump's.
    const std::string odd = "CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA x$$; DROP TABLE t; --;\n";
    EXPECT_EQ(through(odd, 10, keep_unaccent), odd);
    const std::string other = "CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;\n";
    EXPECT_EQ(through(other, 10, keep_unaccent), other);
}

}  // namespace
}  // namespace backstay::odoo_zip
