using Dori.Audit;
using Dori.Diffusion;
using Dori.Native;
using Dori.Pictures;
using Dori.Tests.Support;
using TorchSharp;

namespace Dori.Tests.Audit;

/// <summary>What training added, without a search.</summary>
public sealed class LikelihoodTests
{
    private static readonly Manifest s_manifest = SampleRun.ManifestOf(SampleRun.Options with { MicroBatch = 8, SearchBatch = 8 });

    private static LikelihoodRecord Of(Func<int, double> error, double latents = 0.5) => new()
    {
        Key = "", Item = "v00", Latents = [latents], Errors = [.. Enumerable.Range(0, Likelihood.Draws).Select(error)],
    };

    [Fact]
    public void The_gain_is_the_integral_over_the_log_of_the_signal_to_noise_ratio()
    {
        // Errors that differ by 2 ln 2 at every log SNR of the 6 that are looked at: 6 bits.
        LikelihoodGain gain = LikelihoodGain.Of(Of(k => 3 + k), Of(k => 3 + k + 2 * Math.Log(2)))!;
        Assert.Equal(6, gain.Bits, 9);
        Assert.Equal(0, gain.StandardError, 6);
        LikelihoodGain other = LikelihoodGain.Of(Of(_ => 4), Of(k => k % 2 == 0 ? 4 : 2))!; // 1 less on average, deviation 1
        Assert.Equal(-6 / (2 * Math.Log(2)), other.Bits, 9);
        Assert.Equal(6 / (2 * Math.Log(2)) * Math.Sqrt(64 / 63.0) / 8, other.StandardError, 9);
        Assert.Null(LikelihoodGain.Of(Of(_ => 1), Of(_ => 1, latents: 0.6))); // another VAE
    }

    [Fact]
    public void Time_steps_are_those_of_the_nearest_ratio()
    {
        var likelihood = new Likelihood(Emoji.Model, s_manifest);
        foreach (int t in new[] { 100, 500, 900 })
        {
            double alpha = Emoji.Model.Schedule.AlphasCumprod[t];
            Assert.Equal(t, likelihood.TimestepOf(Math.Log(alpha / (1 - alpha))));
        }
    }

    /// <summary>On pictures that the model was shown 1,800 times a copy whose weights are disturbed is far worse.</summary>
    [Fact]
    public void A_disturbed_copy_has_lost_bits_and_the_model_beside_itself_none()
    {
        PictureItem item = PictureSet.Load(Emoji.Pictures).Items.First(i => i.Id == "v00");
        LikelihoodRecord own = new Likelihood(Emoji.Model, s_manifest).Of(item);
        Assert.Equal(0, LikelihoodGain.Of(own, new Likelihood(Emoji.Model, s_manifest).Of(item))!.Bits);
        using DiffusionModel copy = Emoji.Model.WithUNetCopy();
        using (torch.no_grad())
            foreach ((string name, TorchSharp.Modules.Parameter weight) in copy.UNet.named_parameters())
                if (name.Contains("attn2.to_v", StringComparison.Ordinal)) weight.Times_(0.5);
        LikelihoodGain gain = LikelihoodGain.Of(own, new Likelihood(copy, s_manifest).Of(item))!;
        Assert.True(gain.Bits > 3 * gain.StandardError, $"{gain}");
    }
}
