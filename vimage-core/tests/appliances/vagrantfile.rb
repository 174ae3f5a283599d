# Runs Vagrantfiles as Ruby does, and prints what they set, a line each.
#
# Usage: vagrantfile.rb FILE...

# Takes any setting.
class Recorder < BasicObject
  def initialize(path)
    @path = path
  end

  def method_missing(name, *values, **named, &block)
    path = "#{@path}.#{name}"
    if values.empty? && named.empty?
      return ::Recorder.new(path)
    end
    words = values.map(&:inspect) + named.map { |key, value| "#{key}=#{value.inspect}" }
    ::Kernel.puts([path, *words].join(' '))
    block&.call(::Recorder.new(name.to_s))
  end
end

module Vagrant
  def self.configure(version)
    raise "version #{version}" unless version == '2'

    yield Recorder.new('config')
  end
end

ARGV.each { |file| load file }
