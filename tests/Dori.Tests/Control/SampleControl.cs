using Dori.Audit;

namespace Dori.Tests.Control;

/// <summary>Positive controls that nobody took.</summary>
internal static class SampleControl
{
    public static PositiveControl Passed { get; } = Of(0.98);

    public static PositiveControl Failed { get; } = Of(0.1);

    public static PositiveControl Of(double sight, params UnseenItem[] unseen) => new()
    {
        Passed = sight >= 0.8,
        Seen = 24 - unseen.Length,
        Looked = 24,
        Unseen = unseen,
        Figures =
        [
            new("eye", "median similarity", sight, 0.8, null), new("hand", "denoising loss", 0.3, null, 0.5),
            new("ear", "advantage", 7, 3, null),
        ],
        UNetRows = 600,
    };
}
