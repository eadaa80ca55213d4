using Dori.Diffusion;
using Dori.Pictures;

namespace Dori.Mitigation.Adversarial;

/// <summary>What an inner search found: adversarial conditions for one picture.</summary>
/// <param name="Round">Which renewal of the searches, from 0.</param>
/// <param name="Slot">Which search of the renewal, from 0.</param>
/// <param name="Picture">Index of the picture.</param>
/// <param name="Y">y after each kept number of steps, ascending: S rows; owned by the holder</param>
/// <param name="Loss">The search's mean loss over its last ten steps.</param>
/// <param name="Similarity">
/// The best of the pictures generated from the last y, or what <see cref="After"/> keeps of earlier ones; NaN where none are.
/// </param>
internal sealed record FoundEmbeddings(int Round, int Slot, int Picture, Conditioning Y, float Loss, float Similarity)
{
    private const float Kept = 0.8f;

    /// <summary>
    /// Weight of its rows in L_Adv: 1 at the threshold, falling and rising with the square of what is found, though not below a least one;
    /// 1 where no pictures are generated.
    /// </summary>
    /// <param name="threshold">Similarity above which a generation is a copy.</param>
    /// <param name="least">0 to 1</param>
    public double Weight(double threshold, double least) => float.IsNaN(Similarity) ? 1
        : Math.Max(least, Math.Pow(Math.Max(Similarity, 0) / threshold, 2));

    /// <summary>
    /// The same after earlier finds for the picture: one search may miss, so what was found before counts on, less each time.
    /// </summary>
    public FoundEmbeddings After(IEnumerable<FoundEmbeddings> earlier) =>
        this with { Similarity = earlier.Where(find => find.Picture == Picture).Select(find =>
            Kept * find.Similarity).Append(Similarity).Max() };
}
