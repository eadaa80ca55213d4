using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Dori.Audit;

/// <summary>
/// A record's own hash, kept in it, so that whatever was changed after it was written is noticed: a number put right by hand, a bit that a
/// disk lost. It is no signature: who changes a record on purpose can compute it anew (docs/verdicts.md).
/// </summary>
internal static class RecordDigest
{
    public static UnitRecord With(UnitRecord record) =>
        record with { Digest = Of(record with { Digest = null }, AuditJson.Default.UnitRecord) };

    public static Manifest With(Manifest manifest) =>
        manifest with { Digest = Of(manifest with { Digest = null }, AuditJson.Default.Manifest) };

    /// <returns>Whether it is as it was written.</returns>
    public static bool Fits(UnitRecord record) => record.Digest is { } digest && digest == With(record).Digest;

    /// <inheritdoc cref="Fits(UnitRecord)"/>
    public static bool Fits(Manifest manifest) => manifest.Digest is { } digest && digest == With(manifest).Digest;

    /// <summary>Over the fields as this program writes them: blanks and line breaks do not count.</summary>
    private static string? Of<T>(T record, JsonTypeInfo<T> type)
    {
        try
        {
            return Sha256Text.Of(JsonSerializer.Serialize(record, type));
        }
        catch (ArgumentException) // numbers that JSON does not know
        {
            return null;
        }
    }
}
