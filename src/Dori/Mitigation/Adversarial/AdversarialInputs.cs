using Dori.Diffusion;
using Dori.Measures;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>What an adversarial fine-tuning works on and how. Nothing of it is owned.</summary>
/// <param name="Model">In float32.</param>
/// <param name="Pictures">At least one.</param>
/// <param name="Surrogates">Of each picture.</param>
/// <param name="Workers">
/// How many pieces (searches, micro-batches) are in work at a time; does not change the result where each has the same number of threads.
/// </param>
internal sealed record AdversarialInputs(DiffusionModel Model, ICopyDetector Detector, IReadOnlyList<MemorizedPicture> Pictures,
    IReadOnlyList<SurrogateSet> Surrogates, OrdinaryPairs Ordinary, AdversarialOptions Options, Workers Workers)
{
    /// <summary>All of the training's randomness.</summary>
    public RandomSource Random { get; } = RandomSource.For("adversarial fine-tuning", Options.Seed.ToString());

    /// <summary>
    /// Rows that go through a teacher at once: half a micro-batch, for there are fewer of them and every worker should get some.
    /// </summary>
    public int TeacherPiece => (Options.MicroBatch + 1) / 2;

    /// <exception cref="DoriException">Options out of range, a model that is not in float32, or a picture without surrogate.</exception>
    public void Check()
    {
        Options.Check();
        if (Model.Dtype != ScalarType.Float32)
            throw new DoriException($"fine-tuning needs the UNet in float32, not {Model.Dtype}: its steps are smaller than such a "
                + $"type's rounding");
        if (Pictures.Count == 0) throw new DoriException("no pictures to forget");
        if (Surrogates.Count != Pictures.Count || Surrogates.Any(s => s.Latents.shape[0] == 0))
            throw new DoriException("every picture to forget needs surrogates");
    }
}
