using Dori.Audit;
using Dori.Pictures;

namespace Dori.Tests.Support;

/// <summary>Words of files and tables as their enums.</summary>
internal static class Words
{
    public static AuditStart Start(this string word) => Word.Parse<AuditStart>(word)!.Value;
    public static PictureKind Kind(this string word) => Word.Parse<PictureKind>(word)!.Value;
    public static PictureRole Role(this string word) => Word.Parse<PictureRole>(word)!.Value;
    public static Verdict Verdict(this string word) => Word.Parse<Verdict>(word)!.Value;
}
